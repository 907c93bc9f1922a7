//! `tta health`: how a running server is, as a table or JSON, and as an exit code.

mod client;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use crate::args::HealthArguments;
use crate::output::{self, Failure};
use client::{Reply, Target};

/// Bytes of a file with a token.
const MOST_TOKEN_FILE: u64 = 128 << 10;

pub(crate) fn run(arguments: &HealthArguments) -> Result<ExitCode, Failure> {
    let target = Target::of(&arguments.url).map_err(Failure::new)?;
    let token = arguments.token_file.as_deref().map(read_token).transpose()?;
    if token.is_some() && !target.is_private() {
        output::note("warning: the token is sent unencrypted; use https:// where others can listen on the way");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let patience = Duration::from_secs_f64(arguments.timeout);
    let asked = runtime.block_on(ask(&target, token.as_deref(), patience));
    // A name that is still being looked up would be waited for beyond the time limit.
    runtime.shutdown_background();
    let reply = asked.map_err(|reason| Failure::new(format!("cannot ask {}: {reason}", target.shown())))?;
    let Some(body) = reply.health() else { return Err(Failure::new(refusal(&target, &reply))) };
    let status = status_of(&body);
    if arguments.json {
        output::print_if_read(&format!("{body:#}\n"))?;
    } else {
        output::print_if_read(&table::write(&body))?;
    }
    Ok(match status {
        "healthy" => ExitCode::SUCCESS,
        "degraded" => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}

/// All of it; of a server that has no `/health/full`, what there is.
async fn ask(target: &Target, token: Option<&str>, patience: Duration) -> Result<Reply, String> {
    let asked = async {
        let reply = client::get(target, target.path(), token).await?;
        if reply.status == 404 && target.is_guessed() {
            return client::get(target, &target.path().replace("/health/full", "/health"), token).await;
        }
        Ok(reply)
    };
    let late = |_| format!("no answer within {} s", patience.as_secs_f64());
    tokio::time::timeout(patience, asked).await.map_err(late)?
}

/// `/health/full` has it below `health`.
pub(super) fn status_of(body: &Value) -> &str {
    let health = body.get("health").unwrap_or(body);
    health.get("status").and_then(Value::as_str).unwrap_or_default()
}

fn refusal(target: &Target, reply: &Reply) -> String {
    let said = reply.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let url = target.shown();
    match reply.status {
        401 | 403 => format!("{url} refuses ({}){said}; give a token of scope read with --token-file", reply.status),
        status @ 300..=399 => format!("{url} replies {status}, a redirection, which is not followed; ask there"),
        404 => format!("{url} replies 404: nothing there says how it is; is it the address of a `tta serve`?"),
        200 | 503 => format!("{url} replies {}, but not as a `tta serve` does{said}", reply.status),
        status => format!("{url} replies {status}{said}"),
    }
}

/// The first line that is neither empty nor a comment, as the server reads its own.
fn read_token(path: &Path) -> Result<String, Failure> {
    let failed = |reason: String| Failure::new(format!("cannot read the token in {}: {reason}", path.display()));
    let mut text = String::new();
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    file.take(MOST_TOKEN_FILE).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let token = lines.next().ok_or_else(|| failed("the file has no line with one".to_owned()))?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(failed("it has other characters than letters, digits and - . _ ~ + / =".to_owned()));
    }
    Ok(token.to_owned())
}
