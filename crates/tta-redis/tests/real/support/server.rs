//! A `redis-server` of a test's own: a free port, a directory that goes with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::certificates::Certificates;

const PROGRAM: &str = "redis-server";
/// How long a server may take to start or to answer its test.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct RedisServer {
    process: Option<Child>,
    port: u16,
    directory: TempDir,
    arguments: Vec<String>,
    password: Option<String>,
    certificates: Option<Certificates>,
}

/// A running server, or nothing where the program is missing and may be.
pub(crate) fn server(arguments: &[&str]) -> Option<RedisServer> {
    let found = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{PROGRAM} is not installed");
        eprintln!("skipped: {PROGRAM} is not installed");
        return None;
    }
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    // Another process may take the port between our look and the server's start.
    let started = (0..10).find_map(|_| RedisServer::start(&arguments));
    Some(started.expect("the server starts within ten attempts"))
}

impl RedisServer {
    fn start(arguments: &[String]) -> Option<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let password = arguments.windows(2).find(|pair| pair[0] == "--requirepass").map(|pair| pair[1].clone());
        let directory = TempDir::new().unwrap();
        let mut arguments = arguments.to_vec();
        // No argument of the server's: it stands for TLS on the port, and nothing else.
        let plain = arguments.len();
        arguments.retain(|argument| argument != "--tls");
        let certificates = (arguments.len() < plain).then(|| Certificates::write(directory.path()));
        let mut server = Self { process: None, port, directory, arguments, password, certificates };
        server.launch().then_some(server)
    }

    /// Starts the process; whether it is the one that listens on the port.
    fn launch(&mut self) -> bool {
        let mut command = Command::new(PROGRAM);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        let port = self.port.to_string();
        match &self.certificates {
            None => command.args(["--port", &port]),
            Some(certificates) => {
                for (option, path) in certificates.arguments() {
                    command.arg(option).arg(path);
                }
                command.args(["--tls-auth-clients", "no", "--port", "0", "--tls-port", &port])
            }
        };
        command.arg("--dir").arg(self.directory.path()).args(&self.arguments);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let is_up = lines.any(|line| line.contains("Ready to accept connections"));
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        self.process = Some(process);
        is_up
    }

    /// The authority to trust, as PEM, of a server with `--tls`.
    pub(crate) fn authority(&self) -> &str {
        &self.certificates.as_ref().expect("the server was started with `--tls`").authority
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`, as a crash.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Nobody is left to answer the errors: it may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The same port, empty again.
    pub(crate) fn restart(&mut self) {
        self.kill();
        assert!(self.launch(), "the server starts again on its port");
    }

    /// SIGSTOP: connections stay open, and nothing answers.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("the server runs");
        kill_process(Pid::from_child(process), signal).unwrap();
    }

    /// Asks the server over a connection of its own, without the client that is being tested;
    /// the first line of the answer, or the text it announces.
    pub(crate) fn ask(&self, parts: &[&str]) -> String {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        if let Some(password) = &self.password {
            assert_eq!(exchange(&mut socket, &["AUTH", password]), "+OK");
        }
        exchange(&mut socket, parts)
    }
}

fn exchange(socket: &mut TcpStream, parts: &[&str]) -> String {
    let mut request = format!("*{}\r\n", parts.len());
    for part in parts {
        request.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    socket.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let line = line.trim_end().to_owned();
    match line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
        None => line,
        Some(length) => {
            let mut text = vec![0; length];
            reader.read_exact(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A stopped process dies of SIGKILL as well.
        self.kill();
    }
}
