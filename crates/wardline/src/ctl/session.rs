//! The session of the terminal: signed in once, kept in a file that only its owner reads.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::rest::{Rest, text};

/// The file of the session, when it is not where it belongs.
const FILE: &str = "WARDLINE_SESSION";
/// What to do without a session.
const HOW: &str = "sign in with `wardline ctl sign-in --server URL --login NAME`";

/// Where to sign in, and as whom. The password is asked for, or read from stdin.
#[derive(Debug, Args)]
pub(super) struct SignIn {
    /// The server's address for people.
    #[arg(long, env = "WARDLINE_SERVER", default_value = "https://localhost:8443")]
    server: String,
    /// The authority that signed the server's certificate: `keys/ca.pem` of its data directory.
    #[arg(long, env = "WARDLINE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Who.
    #[arg(long)]
    login: String,
    /// Sign in to a demo, which asks for no password.
    #[arg(long)]
    demo: bool,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    server: String,
    ca_pem: Option<String>,
    cookie: String,
}

/// Signs in and keeps the session.
pub(super) async fn sign_in(asked: SignIn) -> anyhow::Result<()> {
    let read = |path: &PathBuf| {
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let ca_pem = asked.ca.as_ref().map(read).transpose()?;
    let stranger = Rest::trusting(&asked.server, ca_pem.as_deref())?;
    let server = if asked.demo {
        stranger.sign_in_by_click(&asked.login).await?
    } else {
        stranger.sign_in(&asked.login, &password(&asked.login)?).await?
    };
    let me = server.get("/api/v1/session").await?;
    let cookie = server.cookie().context("the server gave no session")?.to_owned();
    let path = path()?;
    keep(&path, &Kept { server: asked.server.clone(), ca_pem, cookie })?;
    let name = text(&me, &["user", "name"])?;
    eprintln!("signed in to {} as {name}", asked.server);
    Ok(())
}

/// Ends the session at the server, and forgets it.
pub(super) async fn sign_out() -> anyhow::Result<()> {
    let server = resume()?;
    // Forgotten first: an unreachable server ends the session by its own time.
    let path = path()?;
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    server.delete("/api/v1/session").await?;
    eprintln!("signed out of {}", server.base());
    Ok(())
}

/// The server that somebody signed in to.
pub(super) fn resume() -> anyhow::Result<Rest> {
    let path = path()?;
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            anyhow::bail!("nobody is signed in; {HOW}")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let kept: Kept = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a session; remove it and {HOW}", path.display()))?;
    Ok(Rest::trusting(&kept.server, kept.ca_pem.as_deref())?.resumed(&kept.cookie))
}

fn keep(path: &Path, kept: &Kept) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // A file from before may be open to others: it is replaced, not written into.
        let unfinished = path.with_extension("unfinished");
        let _ = fs::remove_file(&unfinished);
        let mut file =
            fs::File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(kept)?)?;
        fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// `$WARDLINE_SESSION`, else below the folder where programs keep their state (XDG Base Directory).
fn path() -> anyhow::Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    if let Some(path) = folder(FILE) {
        return Ok(path);
    }
    let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
    let state = state.with_context(|| format!("there is no HOME; say where in {FILE}"))?;
    Ok(state.join("wardline/session.json"))
}

/// Asked for without showing it, or the first line of stdin.
fn password(login: &str) -> anyhow::Result<String> {
    let password = if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("Password of {login}: "))
            .context("the password cannot be read")?
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).context("the password cannot be read")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    ensure!(!password.is_empty(), "the password is empty; type it, or give it on stdin");
    Ok(password)
}
