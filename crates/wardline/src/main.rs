//! Wardline: one program that takes in what devices measure, keeps it, and gets alarms answered.
//!
//! **Absent on purpose:** logic. A function here that needs a unit test about medicine,
//! storage or protocols stands in the wrong crate.

mod backup_keeper;
mod backup_site;
mod bench;
#[cfg(test)]
mod commands;
mod config;
mod ctl;
mod demo;
mod eval;
mod mend_keeper;
mod open_files;
mod percentile;
mod profiles;
mod program;
mod recordings;
mod records_place;
mod rest;
mod retention_keeper;
mod s3_place;
mod scenarios;
mod serve;
mod server_process;
mod sim_command;
mod standby;
mod store_command;
mod watchdog;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The open system of connected care. Not a medical device; see the README.
#[derive(Debug, Parser)]
#[command(name = "wardline", version, about, after_help = "Start with: wardline demo")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A ward of virtual patients on the real server; ends with Ctrl-C.
    Demo(demo::Arguments),
    /// The server.
    Serve(serve::Arguments),
    /// Measures this machine; one JSON object a line with --json.
    Bench(bench::Arguments),
    /// Administration over the public interface.
    Ctl(ctl::Arguments),
    /// Runs an algorithm on labelled data in public formats, and scores it.
    Eval(eval::Arguments),
    /// A virtual hospital by a script, scored; or a load of devices on a running server.
    Sim(sim_command::Arguments),
    /// Follows the backups of another site, and takes over when it is lost.
    Standby(standby::Arguments),
    /// Offline work on a data directory that nobody holds.
    Store(store_command::Arguments),
    /// Prints what a shell needs to complete commands.
    #[command(after_help = "Example: wardline completions bash > /etc/bash_completion.d/wardline")]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// A refusal that the user can mend ends with 1, a fault of ours with 2.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    transport::install_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the program's threads could not be started: {error}");
            return ExitCode::from(2);
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Bench(arguments) => bench::run(arguments).await,
            Command::Ctl(arguments) => ctl::run(arguments).await,
            Command::Eval(arguments) => eval::run(arguments),
            Command::Sim(arguments) => sim_command::run(arguments).await,
            Command::Standby(arguments) => standby::run(arguments).await,
            // Its stores ask a network and wait.
            Command::Store(arguments) => {
                tokio::task::block_in_place(|| store_command::run(arguments))
            }
            Command::Completions { shell } => completions(shell),
        }
    });
    // What still runs has nothing left to lose: everything acknowledged is durable.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, each cause once.
            eprintln!("{error:#}");
            ExitCode::from(1)
        }
    }
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    use clap::CommandFactory as _;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "wardline", &mut script);
    match std::io::Write::write_all(&mut std::io::stdout(), &script) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
