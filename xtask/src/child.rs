//! Runs a child process with its output in a log, a time limit, and a line that says that it still runs.
//!
//! The child stays in our process group, so that Ctrl-C stops it as well.
//!
//! **Absent on purpose:** any judgement of what the child printed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, IsTerminal, Write},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(50);

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Success,
    /// With the exit code or signal, in words.
    Failure(String),
    /// It was killed, with all that it had started.
    TimedOut,
}

/// Time since it was made; the one clock of this program.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a chore that times its parts is a shell")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The line on stderr that tells that something is under way; rewritten on a terminal, written once elsewhere.
pub struct Progress {
    title: String,
    watch: Stopwatch,
    shown_s: u64,
    terminal: bool,
}

impl Progress {
    pub fn start(title: String) -> Self {
        let terminal = io::stderr().is_terminal();
        eprint!("{title} …");
        if !terminal {
            eprintln!();
        }
        Self { title, watch: Stopwatch::start(), shown_s: 0, terminal }
    }

    fn tick(&mut self) {
        let now_s = self.watch.elapsed().as_secs();
        if self.terminal && now_s != self.shown_s {
            self.shown_s = now_s;
            eprint!("\r{} … {now_s} s", self.title);
            // Progress that cannot be shown is no reason to stop.
            let _ = io::stderr().flush();
        }
    }

    pub fn end(self, outcome: &str) {
        let start = if self.terminal { "\r" } else { "" };
        eprintln!("{start}{} … {outcome} ({} s)", self.title, self.watch.elapsed().as_secs());
    }
}

/// Runs `command` to its end or to the limit; both of its outputs go to `log`.
pub fn run(
    command: &mut Command,
    log: &File,
    limit: Duration,
    progress: &mut Progress,
) -> io::Result<End> {
    wait(&mut spawn(command, log)?, limit, progress)
}

/// Runs every command with both of its outputs in its own log, at most so many at once.
/// Each ends by itself or at its limit; the ends are in the order of the commands.
pub fn run_side_by_side(
    commands: Vec<(Command, File)>,
    at_once: usize,
    limit: Duration,
    progress: &mut Progress,
) -> Vec<io::Result<End>> {
    let mut ends = BTreeMap::new();
    let mut waiting = commands.into_iter().enumerate();
    let mut running: Vec<(usize, Child, Stopwatch)> = Vec::new();
    loop {
        while running.len() < at_once.max(1)
            && let Some((at, (mut command, log))) = waiting.next()
        {
            match spawn(&mut command, &log) {
                Ok(child) => running.push((at, child, Stopwatch::start())),
                Err(error) => drop(ends.insert(at, Err(error))),
            }
        }
        if running.is_empty() {
            return ends.into_values().collect();
        }
        running.retain_mut(|(at, child, watch)| match poll(child, *watch, limit).transpose() {
            None => true,
            Some(end) => {
                ends.insert(*at, end);
                false
            }
        });
        progress.tick();
        thread::sleep(POLL);
    }
}

fn spawn(command: &mut Command, log: &File) -> io::Result<Child> {
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?).spawn()
}

/// Runs `command` with its stdout in a file of its own.
pub fn run_apart(
    command: &mut Command,
    stdout: File,
    log: &File,
    limit: Duration,
    progress: &mut Progress,
) -> io::Result<End> {
    command.stdin(Stdio::null()).stdout(stdout).stderr(log.try_clone()?);
    wait(&mut command.spawn()?, limit, progress)
}

fn wait(child: &mut Child, limit: Duration, progress: &mut Progress) -> io::Result<End> {
    let watch = Stopwatch::start();
    loop {
        if let Some(end) = poll(child, watch, limit)? {
            return Ok(end);
        }
        progress.tick();
        thread::sleep(POLL);
    }
}

/// How a child has ended, if it has; one that is over its limit is ended here.
fn poll(child: &mut Child, watch: Stopwatch, limit: Duration) -> io::Result<Option<End>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(end_of(status)));
    }
    if watch.elapsed() < limit {
        return Ok(None);
    }
    kill_with_descendants(child)?;
    Ok(Some(End::TimedOut))
}

fn end_of(status: ExitStatus) -> End {
    if status.success() { End::Success } else { End::Failure(status.to_string()) }
}

/// Cargo would leave its tests running, and a test its server.
fn kill_with_descendants(child: &mut Child) -> io::Result<()> {
    let listing = Command::new("ps").args(["-e", "-o", "pid=,ppid="]).output();
    let listing = listing.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let below = descendants(child.id(), &listing.unwrap_or_default());
    child.kill()?;
    for id in below {
        // One that has ended meanwhile is no failure.
        let _ = Command::new("kill").args(["-KILL", &id.to_string()]).output();
    }
    child.wait().map(drop)
}

/// All processes below `ancestor` in a listing of `pid ppid` lines.
fn descendants(ancestor: u32, listing: &str) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for line in listing.lines() {
        let mut numbers = line.split_whitespace().map(str::parse::<u32>);
        if let (Some(Ok(id)), Some(Ok(parent))) = (numbers.next(), numbers.next()) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![ancestor];
    while let Some(id) = open.pop() {
        for child in children.get(&id).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

#[test]
fn the_descendants_of_a_process_are_found_at_every_depth() {
    let listing = "  1 0\n 20 1\n 30 20\n 31 20\n 40 30\n 99 1\nnoise\n";
    assert_eq!(descendants(20, listing), BTreeSet::from([30, 31, 40]));
    assert_eq!(descendants(99, listing), BTreeSet::new());
}

#[test]
fn a_child_that_outlives_its_limit_is_killed_with_what_it_started() {
    let mut child = Command::new("sh").args(["-c", "sleep 600 & wait"]).spawn().unwrap();
    let mut progress = Progress::start("a child that hangs".into());
    assert_eq!(wait(&mut child, Duration::ZERO, &mut progress).unwrap(), End::TimedOut);
    assert!(child.try_wait().unwrap().is_some(), "it is gone and was waited for");
}

#[test]
fn an_exit_code_is_told_in_words() {
    let run = |code: &str| {
        let mut child = Command::new("sh").args(["-c", &format!("exit {code}")]).spawn().unwrap();
        wait(&mut child, Duration::from_secs(60), &mut Progress::start("a child".into())).unwrap()
    };
    assert_eq!(run("0"), End::Success);
    assert_eq!(run("3"), End::Failure("exit status: 3".into()));
}

/// A shell's script and a file that is thrown away.
#[cfg(test)]
fn script(text: &str) -> (Command, File) {
    let mut command = Command::new("sh");
    command.args(["-c", text]);
    (command, File::options().write(true).open("/dev/null").unwrap())
}

#[test]
fn commands_side_by_side_end_each_for_itself_and_are_told_in_their_order() {
    let run = |scripts: &[&str], at_once, limit_s| -> Vec<End> {
        let commands = scripts.iter().map(|text| script(text)).collect();
        let mut progress = Progress::start("side by side".into());
        let limit = Duration::from_secs(limit_s);
        let ends = run_side_by_side(commands, at_once, limit, &mut progress);
        ends.into_iter().map(Result::unwrap).collect()
    };
    let failed = |code: u8| End::Failure(format!("exit status: {code}"));
    assert_eq!(run(&[], 2, 60), []);
    let want = [failed(4), End::Success, failed(5)];
    assert_eq!(run(&["sleep 0.3; exit 4", "exit 0", "exit 5"], 2, 60), want);
    // None at once would be never.
    assert_eq!(run(&["exit 1", "exit 0"], 0, 60), [failed(1), End::Success]);
    assert_eq!(run(&["sleep 600", "exit 0"], 2, 1), [End::TimedOut, End::Success]);
}

#[test]
fn no_more_commands_run_at_once_than_were_asked_for() {
    let folder = std::env::temp_dir().join(format!("wardline-side-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let count = |at_once: usize| -> usize {
        let most = folder.join(format!("most-{at_once}"));
        let live = folder.join(format!("live-{at_once}"));
        std::fs::create_dir_all(&live).unwrap();
        let text = format!(
            "touch {live}/$$; ls {live} | wc -l >> {most}; sleep 0.3; rm {live}/$$",
            live = live.display(),
            most = most.display()
        );
        let commands = (0..5).map(|_| script(&text)).collect();
        let mut progress = Progress::start("at once".into());
        run_side_by_side(commands, at_once, Duration::from_secs(60), &mut progress);
        let seen = std::fs::read_to_string(&most).unwrap();
        seen.lines().filter_map(|line| line.trim().parse().ok()).max().unwrap()
    };
    assert!((1..=2).contains(&count(2)), "two at once");
    assert_eq!(count(1), 1, "one after the other");
    std::fs::remove_dir_all(&folder).unwrap();
}
