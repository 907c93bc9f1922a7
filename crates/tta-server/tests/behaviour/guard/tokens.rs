//! Tokens: who may, who may not, and where they are never seen.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use tta_server::{Scope, Server, ServerError, ServerLimits, ServerSettings, TokenSource};

use super::support::{ADMIN, READ, WRITE, connect_http2, get_once, problem, request, settings};
use crate::support::Reply;

fn value(token: &str) -> Vec<TokenSource> {
    vec![TokenSource::Value(token.into())]
}

fn guarded() -> ServerSettings {
    let limits = ServerLimits::default();
    ServerSettings {
        read_tokens: value(READ),
        write_tokens: value(WRITE),
        admin_tokens: value(ADMIN),
        ..settings(limits)
    }
}

async fn serve(settings: &ServerSettings) -> Server {
    let checked = settings.check().unwrap();
    let mut router = Router::new().route("/open", get(|| async { "open" }));
    for scope in Scope::ALL {
        // What is behind it does not see the token.
        let seen = |headers: http::HeaderMap| async move { headers.contains_key("authorization").to_string() };
        router =
            router.merge(Router::new().route(&format!("/{scope}"), get(seen)).layer(checked.tokens().require(scope)));
    }
    Server::start(&checked, router).await.unwrap()
}

async fn with(server: &Server, path: &str, token: &str) -> Reply {
    get_once(server, path, &[&format!("authorization: Bearer {token}")]).await
}

#[tokio::test]
async fn each_token_opens_what_its_scope_says() {
    let server = serve(&guarded()).await;
    for (token, statuses) in [(READ, [200, 403, 403]), (WRITE, [403, 200, 403]), (ADMIN, [200, 200, 200])] {
        for (path, status) in ["/read", "/write", "/admin"].into_iter().zip(statuses) {
            let reply = with(&server, path, token).await;
            assert_eq!(reply.status, status, "{path}");
            assert!(!reply.text().contains(token) && !reply.head.contains(token), "{}", reply.text());
            match status {
                200 => assert_eq!(reply.text(), "false"),
                _ => {
                    let scope = &path[1..];
                    let accepted = if scope == "admin" { "admin".to_owned() } else { format!("{scope} or admin") };
                    let want = format!("the token is for something else; accepted is one of scope {accepted}");
                    assert_eq!(problem(&reply).1, want);
                    let challenge = format!("bearer realm=\"tta\", error=\"insufficient_scope\", scope=\"{scope}\"");
                    assert_eq!(reply.header("www-authenticate"), Some(challenge.as_str()));
                }
            }
        }
    }
    assert_eq!((server.counters().forbidden, server.counters().unauthorized), (4, 0));
    assert_eq!(get_once(&server, "/open", &[]).await.text(), "open");
}

#[tokio::test]
async fn missing_and_wrong_tokens_get_401_that_does_not_repeat_them() {
    let server = serve(&guarded()).await;
    let missing = get_once(&server, "/read", &[]).await;
    assert_eq!((problem(&missing).0, missing.header("www-authenticate")), (401, Some("bearer realm=\"tta\"")));
    let wrong = "5f0c1a9b7e3d2846-reaD";
    for token in [wrong, &READ[..20], &format!("{READ}x"), "x"] {
        let reply = with(&server, "/read", token).await;
        assert_eq!(problem(&reply).1, "the token is not known here; accepted is one of scope read or admin");
        assert_eq!(reply.header("www-authenticate"), Some("bearer realm=\"tta\", error=\"invalid_token\""));
        assert!(!reply.text().contains(wrong));
    }
    let right = format!("authorization: Bearer {READ}");
    let other =
        [format!("authorization: Basic {READ}"), format!("authorization: {READ}"), "authorization: Bearer ".to_owned()];
    for header in &other {
        assert_eq!(get_once(&server, "/read", &[header]).await.status, 401, "{header}");
    }
    // Which one would count is anybody's guess.
    assert_eq!(get_once(&server, "/read", &[&right, &right]).await.status, 401);
    assert_eq!(server.counters().unauthorized, 9);
    assert_eq!(get_once(&server, "/read", &[&right.replace("Bearer", "bEARER")]).await.status, 200);
}

#[tokio::test]
async fn without_tokens_everything_is_open() {
    let server = serve(&settings(ServerLimits::default())).await;
    for path in ["/read", "/write", "/admin"] {
        assert_eq!(get_once(&server, path, &[]).await.status, 200);
    }
}

#[tokio::test]
async fn grpc_is_told_in_its_own_way() {
    let server = serve(&guarded()).await;
    let mut client = connect_http2(&server).await;
    let mut call = request("GET", "/write", Body::empty());
    call.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    let reply = client.send_request(call).await.unwrap();
    let header = |name: &str| reply.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!((reply.status().as_u16(), header("grpc-status")), (200, "16"));
    assert!(header("grpc-message").starts_with("this needs a token of scope write: "));
}

#[test]
fn no_text_of_settings_holds_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens");
    let lines = "0d9f6e2b8a71c354-line";
    std::fs::write(&file, format!("# comment\n\n{lines}\n  {READ}  \n")).unwrap();
    let settings = ServerSettings { read_tokens: vec![TokenSource::File(file.clone())], ..guarded() };
    let checked = settings.check().unwrap();
    let shown = format!("{settings:?} {checked:?} {:?}", checked.tokens());
    assert!(shown.contains("Tokens { read: 2, write: 1, admin: 1 }"), "{shown}");
    let wrong = ServerSettings { write_tokens: value(READ), admin_tokens: value("short-secret"), ..settings };
    let errors = wrong.check().unwrap_err();
    let said = format!("{errors} {errors:?}");
    let want = format!("the write token 1 of the values is the same as the read token in line 4 of {}", file.display());
    assert!(said.contains(&want), "{said}");
    for token in [lines, READ, WRITE, ADMIN, "short-secret"] {
        assert!(!shown.contains(token) && !said.contains(token), "{token}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let wrong = ServerSettings {
        address: "0.0.0.0:8000".parse().unwrap(),
        tls: Some(tta_server::TlsFiles { certificates: "no/chain.pem".into(), key: "no/key.pem".into() }),
        limits: ServerLimits { connections: 0, streams: 0, ..ServerLimits::default() },
        ..ServerSettings::default()
    };
    let errors = wrong.check().unwrap_err();
    let said = errors.to_string();
    let starts =
        ["`connections` is 0", "`streams` is 0", "cannot use no/chain.pem for TLS", "cannot serve at 0.0.0.0:8000"];
    for (line, start) in said.lines().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!((said.lines().count(), errors.iter().count()), (4, 4));
    // A token that is broken is not as if none was wanted.
    let broken = ServerSettings { address: wrong.address, read_tokens: value("x"), ..ServerSettings::default() };
    let errors: Vec<_> = broken.check().unwrap_err().iter().cloned().collect();
    assert!(matches!(errors[..], [ServerError::Token(_)]), "{errors:?}");
}

#[test]
fn another_address_of_checked_settings_is_checked_too() {
    let open = settings(ServerLimits::default()).check().unwrap();
    let elsewhere = "0.0.0.0:4317".parse().unwrap();
    assert_eq!(open.at(elsewhere).unwrap_err(), ServerError::Exposed { address: elsewhere });
    let closed = guarded().check().unwrap();
    assert_eq!(closed.warning(), None);
    let there = closed.at(elsewhere).unwrap();
    assert!(there.address() == elsewhere && there.warning().unwrap().starts_with("not encrypted: "));
    let insecure = ServerSettings { insecure: true, ..settings(ServerLimits::default()) }.check().unwrap();
    assert!(insecure.at(elsewhere).unwrap().warning().unwrap().starts_with("insecure: whoever reaches 0.0.0.0:4317 "));
    assert!(closed.within(ServerLimits { requests: 0, ..ServerLimits::default() }).is_err());
}
