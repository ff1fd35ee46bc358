//! A name server that answers as the test says. It is asked by programs that were started with its `resolv.conf`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Listens on port 53 of a loopback address of its own until it is dropped.
pub struct Dns {
    resolv_conf: PathBuf,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

/// How a name is answered; every answer says that it holds for no time at all.
#[derive(Clone, Debug)]
pub enum Name {
    Is(Ipv4Addr),
    /// The one and the other in turn: whoever asks twice gets both.
    Turns(Ipv4Addr, Ipv4Addr),
    ServFail,
    /// No answer at all, so that whoever asks waits.
    Silent,
}

#[derive(Default)]
struct State {
    names: HashMap<String, Name>,
    asked: HashMap<String, usize>,
    is_over: bool,
}

const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

impl Dns {
    /// Answers that no name exists, until it is told of some. `folder` is where its `resolv.conf` goes.
    pub fn start(folder: &Path) -> Self {
        let bind = |last| {
            let address = Ipv4Addr::new(127, 53, 0, last);
            UdpSocket::bind((address, 53)).ok().map(|socket| (address, socket))
        };
        let (address, socket) = (1..=250).find_map(bind).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let resolv_conf = folder.join("resolv.conf");
        std::fs::write(&resolv_conf, format!("nameserver {address}\noptions timeout:5 attempts:2\n")).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let thread = std::thread::spawn(move || serve(&socket, &shared));
        Self { resolv_conf, state, thread: Some(thread) }
    }

    /// From now on, this is what a name is.
    pub fn set(&self, host: &str, name: Name) {
        self.state.lock().unwrap().names.insert(host.to_owned(), name);
    }

    /// How often the address of a name was asked for.
    pub fn asked(&self, host: &str) -> usize {
        self.state.lock().unwrap().asked.get(host).copied().unwrap_or_default()
    }

    /// The words that start a program with this name server instead of the system's, in a mount namespace of its own.
    pub fn wrapper(&self) -> Vec<&str> {
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        let path = self.resolv_conf.to_str().unwrap();
        vec!["unshare", "--mount", "--propagation", "private", "sh", "-c", script, path]
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.state.lock().unwrap().is_over = true;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn serve(socket: &UdpSocket, state: &Mutex<State>) {
    let mut question = [0; 512];
    while !state.lock().unwrap().is_over {
        let Ok((length, from)) = socket.recv_from(&mut question) else { continue };
        if let Some(answer) = answer(&question[..length], state) {
            send(socket, &answer, from);
        }
    }
}

/// Who asked and went away is nobody's trouble.
fn send(socket: &UdpSocket, answer: &[u8], to: SocketAddr) {
    socket.send_to(answer, to).ok();
}

fn answer(question: &[u8], state: &Mutex<State>) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let (host, end) = host_at(question, HEADER)?;
    let wants_v4 = question.get(end..end + 2)? == [0, 1];
    let asked = question.get(HEADER..end + 4)?;
    let mut state = state.lock().unwrap();
    if wants_v4 {
        *state.asked.entry(host.clone()).or_default() += 1;
    }
    let times = state.asked.get(&host).copied().unwrap_or_default();
    let (code, address) = match state.names.get(&host) {
        None => (NO_SUCH_NAME, None),
        Some(Name::ServFail) => (SERVER_FAILURE, None),
        Some(Name::Silent) => return None,
        Some(Name::Is(address)) => (NO_ERROR, Some(*address)),
        Some(Name::Turns(one, other)) => (NO_ERROR, Some(if times % 2 == 1 { *one } else { *other })),
    };
    let address = address.filter(|_| wants_v4);
    let mut answer = question[..2].to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    answer.extend(asked);
    if let Some(address) = address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// The name that is asked for, and where it ends.
fn host_at(question: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}
