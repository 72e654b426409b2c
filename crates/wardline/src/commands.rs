//! The reference of commands, `docs/reference/commands.md`, is what the program says of itself.

use std::{fmt::Write as _, fs, path::Path};

use clap::CommandFactory as _;

/// The page from the definitions, each command with all that it takes.
fn page() -> String {
    let mut command = crate::Arguments::command();
    command.build();
    let mut page = "# Commands\n\nGenerated from the program; `UPDATE=1 cargo test -p wardline commands` rewrites it.\n".to_owned();
    describe(&mut page, &mut command, "wardline");
    page
}

fn describe(page: &mut String, command: &mut clap::Command, path: &str) {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## {path}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        let path = format!("{path} {}", inner.get_name());
        describe(page, inner, &path);
    }
}

#[test]
fn the_reference_of_commands_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/commands.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/reference/commands.md differs; run UPDATE=1 cargo test -p wardline commands"
    );
}
