//! `wardline ctl`: administration from a terminal, over the same public interface as the screens.
//!
//! Data goes to stdout, as a table or with `--json` as what the server said; everything else goes to stderr.

use clap::{Args, Subcommand};

use crate::rest::Rest;

mod alarms;
mod answer;
mod backup;
mod corrections;
mod damage;
mod devices;
mod holds;
mod import;
mod people;
mod places;
mod session;
mod status;
mod table;

const EXAMPLES: &str = "\
Examples:
  wardline ctl sign-in --server https://wardline.example:8443 --ca ca.pem --login ada
  wardline ctl status
  wardline ctl devices list --json
  wardline ctl devices certificate 0197… --out ./monitor-7
  wardline ctl alarms list
  wardline ctl holds add --patient 0197… --why 'case 4711'
  wardline ctl import ./export --device SN-4711 --dry-run
  wardline ctl users add --login priya --name 'Priya Nair' --role nurse --site ID
  wardline ctl get /api/v1/profiles";

/// What `wardline ctl` is asked for.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Print what the server said, as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Signs in at a server; later commands use that session.
    SignIn(session::SignIn),
    /// Ends the session.
    SignOut,
    /// How the server is doing.
    Status,
    /// Devices and their certificates.
    #[command(subcommand)]
    Devices(devices::Verb),
    /// Alarms, and answers to them.
    #[command(subcommand)]
    Alarms(alarms::Verb),
    /// Logins.
    #[command(subcommand)]
    Users(people::UserVerb),
    /// The people who work here.
    #[command(subcommand)]
    Staff(people::StaffVerb),
    /// Sites, care units, rooms and beds.
    #[command(subcommand)]
    Places(places::Verb),
    /// Who looked at what, the latest first.
    Audit(people::Audit),
    /// Messages that could not be taken in, the latest first.
    DeadLetters(devices::DeadLetters),
    /// Takes a backup of the running server, rehearses its restore, and waits for the end.
    Backup(backup::Asked),
    /// What is stored and damaged, and what became of it.
    Damage,
    /// Readings that do not count, or count as something else.
    #[command(subcommand)]
    Corrections(corrections::Verb),
    /// What has to stay in the journal as it was received, against thinning.
    #[command(subcommand)]
    Holds(holds::Verb),
    /// Takes in what a device measured before or elsewhere, from files, as its history.
    Import(import::Asked),
    /// What was taken in from files, by whom, the latest first.
    Imports,
    /// Reads any address of the interface, such as /api/v1/profiles.
    Get {
        /// The address, from its first slash.
        path: String,
    },
}

/// Does it; an error is what the server refused, and what to do.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let as_json = arguments.json;
    let noun = match arguments.noun {
        Noun::SignIn(asked) => return session::sign_in(asked).await,
        Noun::SignOut => return session::sign_out().await,
        noun => noun,
    };
    let server = session::resume()?;
    let answer = ask(&server, noun).await?;
    answer.print(as_json)
}

async fn ask(server: &Rest, noun: Noun) -> anyhow::Result<answer::Answer> {
    match noun {
        Noun::Status => status::ask(server).await,
        Noun::Devices(verb) => devices::ask(server, verb).await,
        Noun::Alarms(verb) => alarms::ask(server, verb).await,
        Noun::Users(verb) => people::ask_users(server, verb).await,
        Noun::Staff(verb) => people::ask_staff(server, verb).await,
        Noun::Places(verb) => places::ask(server, verb).await,
        Noun::Audit(asked) => people::ask_audit(server, &asked).await,
        Noun::DeadLetters(asked) => devices::ask_dead_letters(server, &asked).await,
        Noun::Damage => damage::ask(server).await,
        Noun::Corrections(verb) => corrections::ask(server, verb).await,
        Noun::Holds(verb) => holds::ask(server, verb).await,
        Noun::Import(asked) => import::ask(server, asked).await,
        Noun::Imports => import::list(server).await,
        Noun::Backup(asked) => backup::ask(server, &asked).await,
        Noun::Get { path } => Ok(answer::Answer::raw(server.get(&path).await?)),
        // Both were done before a session was needed.
        Noun::SignIn(_) | Noun::SignOut => Ok(answer::Answer::said(String::new())),
    }
}
