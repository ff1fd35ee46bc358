//! Where the demo finds what it starts.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The repository's folder `deploy`: as told, or near the working folder or this program.
pub(crate) fn deploy(told: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(told) = told {
        return if is_deploy(told) {
            Ok(told.to_owned())
        } else {
            bail!("{} has no kafka/kafka.sh (--deploy)", told.display())
        };
    }
    let here = std::env::current_dir().context("the working folder")?;
    let program = std::env::current_exe().context("the place of this program")?;
    let near = here.ancestors().chain(program.ancestors()).map(|folder| folder.join("deploy"));
    let installed = [PathBuf::from("/usr/share/attributary/deploy")];
    near.chain(installed)
        .find(|folder| is_deploy(folder))
        .context("the folder `deploy` is not here: run the demo from the repository, or name it with --deploy")
}

/// A service's program, which lies beside this one.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the place of this program")?;
    let program = own.with_file_name(name);
    if !program.is_file() {
        bail!("{} is missing: build it with `cargo build --workspace`", program.display());
    }
    Ok(program)
}

fn is_deploy(folder: &Path) -> bool {
    folder.join("kafka/kafka.sh").is_file() && folder.join("redis.conf").is_file()
}
