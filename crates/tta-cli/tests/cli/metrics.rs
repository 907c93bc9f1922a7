//! `--metrics`: a real process, scraped over a real socket, and ended by a signal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::support::Tree;

const SERVED: &str = "metrics are served at http://";

/// A demo under way, and what it says.
pub(crate) struct Demo {
    child: Child,
    stderr: BufReader<ChildStderr>,
    pub(crate) address: String,
}

impl Demo {
    pub(crate) fn start(tree: &Tree, arguments: &[&str]) -> Self {
        let mut command = tree.command(&[&["demo"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut demo = Self { stderr: BufReader::new(child.stderr.take().unwrap()), child, address: String::new() };
        let line = demo.line();
        demo.address = line.strip_prefix(SERVED).unwrap().strip_suffix("/metrics\n").unwrap().to_owned();
        demo
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn scrape(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    /// The exit code, and what was printed.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        assert_eq!(self.child.try_wait().unwrap(), None);
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (self.child.wait().unwrap().code(), out)
    }
}

#[test]
fn metrics_are_served_until_a_signal_comes_and_the_code_is_that_of_the_work() {
    let tree = Tree::mixed();
    for signal in ["-INT", "-TERM"] {
        let mut demo = Demo::start(&tree, &["--metrics", "0", "--json"]);
        assert!(demo.address.starts_with("127.0.0.1:") && !demo.address.ends_with(":0"), "{}", demo.address);
        let want = format!(
            "the work is done; metrics are still served at http://{}/metrics: stop with Ctrl-C\n",
            demo.address
        );
        assert_eq!(demo.line(), want);
        let page = demo.scrape();
        let count = "primitive_requests_total{workflow=\"analyse\",primitive_name=\"analyse\",\
                     primitive_type=\"workflow\",status=\"success\"} 7\n";
        assert!(page.contains("content-type: text/plain; version=0.0.4") && page.contains(count), "{page}");
        // An engine that lives, not one that was shut down when the work was done.
        assert!(page.contains("\ntelemetry_up 1\n"));
        let (code, out) = demo.end(signal);
        let document: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &document["succeeded"], &document["interrupted"]), (Some(0), &7.into(), &false.into()));
    }
}

#[test]
fn metrics_of_work_that_failed_are_served_and_the_code_says_so_in_the_end() {
    let tree = Tree::new(&[("empty.txt", b"")]);
    let mut demo = Demo::start(&tree, &["--metrics", "127.0.0.1:0"]);
    assert_eq!(demo.line(), "error: the one file found could not be analysed\n");
    assert!(demo.line().starts_with("the work is done; "));
    assert!(demo.scrape().contains("primitive_type=\"workflow\",status=\"failure\"} 1\n"));
    assert_eq!(demo.end("-INT").0, Some(1));
}

#[test]
fn a_port_that_is_taken_is_refused_by_name_before_anything_is_done() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let ran = Tree::mixed().run(&["demo", "--metrics", &taken.to_string()]);
    let said = format!(
        "error: cannot serve metrics at {taken}: another program listens there; choose another address with --metrics \
         ADDR, with port 0 for any port that is free\n"
    );
    assert_eq!((ran.code, ran.out.as_str(), ran.err), (Some(2), "", said));
}

#[test]
fn an_address_that_others_reach_is_refused_unless_it_is_insecure_on_purpose() {
    let ran = Tree::mixed().run(&["demo", "--metrics", "0.0.0.0:0"]);
    let said = "error: cannot serve metrics at 0.0.0.0:0: whoever reaches it could read them, and no token is asked for; \
                choose an address of this machine, as 127.0.0.1:9464, or add --insecure to expose them all the same\n";
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(2), "", said));
    let ran = Tree::mixed().run(&["demo", "--insecure"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--metrics"), "{}", ran.err);
    let tree = Tree::mixed();
    let mut demo = Demo::start(&tree, &["--metrics", "0.0.0.0:0", "--insecure"]);
    assert_eq!(
        demo.line(),
        "warning: insecure: whoever reaches this address can read the metrics, and nothing is encrypted\n"
    );
    assert!(demo.line().starts_with("the work is done; "));
    assert!(demo.scrape().contains("\ntelemetry_up 1\n"));
    assert_eq!(demo.end("-INT").0, Some(0));
}
