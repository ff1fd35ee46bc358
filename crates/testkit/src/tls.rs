//! An authority of the test's own, and TLS servers with certificates that are good or bad.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::eventually;
use crate::process::{Process, free_port};

/// Signs certificates. Programs that were started with `SSL_CERT_FILE` set to `certificate` trust it.
pub struct Authority {
    pub certificate: PathBuf,
    folder: PathBuf,
}

/// A server that says 200 to every GET, where the handshake succeeds.
pub struct TlsServer {
    pub port: u16,
    pub process: Process,
}

impl Authority {
    pub fn new(folder: &Path) -> Self {
        let folder = folder.join("tls");
        std::fs::create_dir_all(&folder).unwrap();
        let authority = Self { certificate: folder.join("authority.pem"), folder };
        let key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "authority.key", "-out", "authority.pem"];
        authority.openssl(&[&["req", "-x509", "-days", "2", "-subj", "/CN=Test Authority"], &key[..]].concat());
        authority
    }

    /// Starts a server whose certificate is for `name`, such as `IP:127.0.0.1`, and holds for so many days from now; a
    /// negative number makes one that has expired. `options` are those of `openssl s_server`.
    pub fn serve(&self, id: &str, (name, days): (&str, i32), options: &[&'static str]) -> TlsServer {
        let file = |kind: &str| format!("{id}.{kind}");
        let (key, request, certificate, names) = (file("key"), file("csr"), file("pem"), file("ext"));
        std::fs::write(self.folder.join(&names), format!("subjectAltName={name}\n")).unwrap();
        let subject = format!("/CN={id}");
        self.openssl(&["req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &request, "-subj", &subject]);
        let signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", &days.to_string()]
            .map(str::to_owned);
        let files = ["-in", &request, "-out", &certificate, "-extfile", &names];
        let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
        self.openssl(&[&["x509", "-req"], &files[..], &signed[..]].concat());
        self.start(id, options)
    }

    fn start(&self, id: &str, options: &[&'static str]) -> TlsServer {
        let port = free_port();
        let (folder, id_of, options) = (self.folder.clone(), id.to_owned(), options.to_vec());
        let process = Process::start(&format!("tls-{id}"), &self.folder, move || {
            let mut command = Command::new("openssl");
            command.current_dir(&folder).args(["s_server", "-www", "-accept", &format!("127.0.0.1:{port}")]);
            command.args(["-cert", &format!("{id_of}.pem"), "-key", &format!("{id_of}.key")]).args(&options);
            command.stdin(Stdio::null());
            command
        });
        eventually("the TLS server listens", || {
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
        });
        TlsServer { port, process }
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
