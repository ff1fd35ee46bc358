//! The apps file, read again when it changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::rules::Rules;

/// The rules of the apps file as it was when it was last good.
#[derive(Clone)]
pub(crate) struct Apps {
    file: PathBuf,
    rules: Arc<RwLock<Arc<Rules>>>,
}

const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Apps {
    /// Reads the file; one that is missing means the defaults.
    pub(crate) fn open(file: &Path) -> anyhow::Result<Self> {
        let text = read(file).with_context(|| format!("reading {} (apps.file)", file.display()))?;
        let rules = match &text {
            Some(text) => Rules::parse(text).with_context(|| format!("in {} (apps.file)", file.display()))?,
            None => Rules::default(),
        };
        Ok(Self { file: file.to_owned(), rules: Arc::new(RwLock::new(Arc::new(rules))) })
    }

    /// The rules that hold now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the file until the shutdown. A file that is bad or gone never replaces a good one.
    pub(crate) async fn watch(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let mut last = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_EVERY) => self.look(&mut last),
            }
        }
    }

    /// Takes over the file if its text is another than the last one.
    fn look(&self, last: &mut Option<String>) {
        let text = match read(&self.file) {
            Ok(Some(text)) if last.as_ref() != Some(&text) => text,
            Ok(_) => return,
            Err(error) => {
                warn!(file = %self.file.display(), %error, "the apps file cannot be read: the earlier one stays");
                return;
            }
        };
        match Rules::parse(&text) {
            Ok(rules) => self.replace(rules),
            Err(error) => error!(file = %self.file.display(), %error, "the apps file is wrong: the earlier one stays"),
        }
        *last = Some(text);
    }

    fn replace(&self, rules: Rules) {
        let mut current = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if **current != rules {
            info!(file = %self.file.display(), version = rules.version(), "new rules");
            *current = Arc::new(rules);
        }
    }
}

fn read(file: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_means_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(*Apps::open(&folder.path().join("apps.toml")).unwrap().rules(), Rules::default());
    }

    #[test]
    fn a_bad_or_missing_file_never_replaces_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("apps.toml");
        let write = |window: &str| {
            std::fs::write(&file, format!("[[app]]\nid = \"game\"\nwindows = {{ click = \"{window}\" }}")).unwrap();
        };
        write("3d");
        let apps = Apps::open(&file).unwrap();
        let (first, mut last) = (apps.rules(), None);

        write("soon");
        apps.look(&mut last);
        assert_eq!(apps.rules(), first);

        std::fs::remove_file(&file).unwrap();
        apps.look(&mut last);
        assert_eq!(apps.rules(), first);

        write("4d");
        apps.look(&mut last);
        assert_ne!(apps.rules().version(), first.version());
    }

    #[test]
    fn a_bad_file_at_the_start_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("apps.toml");
        std::fs::write(&file, "[[app]]").unwrap();
        let Err(refused) = Apps::open(&file) else { panic!("accepted") };
        assert!(format!("{refused:#}").contains("apps.toml"), "{refused:#}");
    }
}
