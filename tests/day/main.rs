//! A day of the demo ward in virtual time: with ten restarts in the middle it ends in
//! the same state as without, and a journal alone leads there too.
//!
//! Everything between the sockets is the real thing: door, journal on a real disk,
//! engine with its records and series. Two servers live through the same day side by
//! side; one of them is stopped five times and crashes five times. Waveforms come from
//! two of the beds only, as they are by far the most of a day's bytes.

#[cfg(test)]
mod golden;
#[cfg(test)]
mod hospital;
#[cfg(test)]
mod node;
#[cfg(test)]
mod remade;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod story;
#[cfg(test)]
mod visible;

#[cfg(test)]
mod tests {
    use sim::{Fidelity, Hospital};
    use store::Clock;

    use super::{
        hospital,
        node::{Node, Restart},
        remade,
        stage::{self, START, second},
        story,
        visible::{Lives, View, lives_of, view_of},
    };

    /// The demo's script repeats itself each half hour; courses last two and a half hours.
    const HOURS: u64 = 24;
    /// How often a nurse answers everything that stands.
    const ROUND_S: u64 = 600;

    /// When the second server goes, by seconds of the day; most of them in the middle of trouble.
    const RESTARTS: [(u64, Restart); 10] = [
        // Pneumonia desaturates, the pending alarm has not matured; a lead is off.
        (25, Restart::Crash),
        // Asystole was announced seconds ago.
        (40, Restart::Orderly),
        // Everything stands unanswered and climbs.
        (170, Restart::Crash),
        // In the middle of what one acknowledgement keeps quiet.
        (630, Restart::Orderly),
        (1_220, Restart::Crash),
        // A heart has just stopped.
        (1_805, Restart::Crash),
        (2_405, Restart::Orderly),
        (9_000, Restart::Orderly),
        (36_000, Restart::Crash),
        (72_030, Restart::Orderly),
    ];

    /// Both servers are given so many seconds at a time: few while much happens.
    fn stride_s(lived: u64) -> u64 {
        if lived < 3_600 { 5 } else { 60 }
    }

    /// What is left of a server when the day is over.
    struct Ended {
        view: View,
        lives: Lives,
        core: engine::Core,
        points: Vec<(String, usize, u64)>,
        folder: tempfile::TempDir,
    }

    async fn end(node: Node, folder: tempfile::TempDir) -> Ended {
        let view = view_of(&node).await;
        let kept = node.stop().await;
        let (lives, points) = (lives_of(&kept.records), stage::points(&kept.series));
        let core = kept.core();
        Ended { view, lives, core, points, folder }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_hours_made_anew_are_those_that_were_lived_byte_for_byte() {
        let clock = Clock::manual(START);
        let folder = tempfile::tempdir().unwrap();
        let mut node = Node::open(folder.path(), &clock).await;
        let script = stage::ward();
        stage::build(&mut node, &script).await;
        let (devices, hearts) = (stage::enrolled(&script), stage::recordings());
        let mut ward = Hospital::new(1, START, script, devices, &hearts, &Fidelity::default());
        for lived in (0..2 * 3_600).step_by(20) {
            let until = lived + 20;
            let mut deeds = Vec::new();
            while ward.next_at() <= second(until) {
                deeds.extend(ward.step().into_iter().filter(stage::is_delivered));
            }
            node.take_in(&deeds, lived, until).await.unwrap();
            if until == 1_240 {
                // It dies with records that nobody has decided on.
                node = node.restart(Restart::Crash).await;
            } else {
                node.catch_up(until).await;
            }
            clock.advance_to(second(until));
            if until % ROUND_S == 0 {
                stage::answer_all(&node, until).await;
            }
            if until == 2_400 {
                node = node.restart(Restart::Orderly).await;
            }
        }
        node.beat_again(2 * 3_600).await;
        let one = end(node, folder).await;
        remade::check(one.folder.path());
        let again = end(Node::open(one.folder.path(), &clock).await, one.folder).await;
        assert_eq!((again.view, again.lives, again.points), (one.view, one.lives, one.points));
    }

    /// A server that has the journal of another and nothing else.
    async fn rebuilt(from: &Ended, clock: &Clock) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        std::fs::create_dir(&journal).unwrap();
        std::fs::copy(from.folder.path().join("FORMAT"), folder.path().join("FORMAT")).unwrap();
        for entry in std::fs::read_dir(from.folder.path().join("journal")).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), journal.join(entry.file_name())).unwrap();
        }
        let node = Node::open(folder.path(), clock).await;
        end(node, folder).await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_day_of_the_hospital_is_told_as_it_was() {
        hospital::day().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_day_with_ten_restarts_ends_like_a_day_without() {
        let clock = Clock::manual(START);
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut steady = Node::open(folders[0].path(), &clock).await;
        let mut broken = Node::open(folders[1].path(), &clock).await;
        let script = stage::ward();
        for node in [&mut steady, &mut broken] {
            stage::build(node, &script).await;
        }
        let (devices, hearts) = (stage::enrolled(&script), stage::recordings());
        let mut ward = Hospital::new(1, START, script, devices, &hearts, &Fidelity::default());
        let mut lived = 0;
        while lived < HOURS * 3_600 {
            let (from, until) = (lived, lived + stride_s(lived));
            lived = until;
            let mut deeds = Vec::new();
            while ward.next_at() <= second(until) {
                deeds.extend(ward.step().into_iter().filter(stage::is_delivered));
            }
            let restart = RESTARTS.iter().find(|(at, _)| *at == until).map(|(_, how)| *how);
            let (_, durable) =
                tokio::join!(steady.live(&deeds, from, until), broken.take_in(&deeds, from, until));
            durable.unwrap();
            match restart {
                // It dies before it has decided what it has just acknowledged.
                Some(Restart::Crash) => broken = broken.restart(Restart::Crash).await,
                Some(Restart::Orderly) => {
                    broken.catch_up(until).await;
                    broken = broken.restart(Restart::Orderly).await;
                }
                None => broken.catch_up(until).await,
            }
            clock.advance_to(second(until));
            if restart.is_some() {
                // A beat of its own shows that the new start has come as far as the old one,
                // and what was stored before the stop is not stored again.
                for node in [&mut steady, &mut broken] {
                    node.repeat(&deeds, until);
                    node.beat_again(until).await;
                }
                assert_eq!(view_of(&steady).await, view_of(&broken).await, "after {until} s");
            }
            if until % ROUND_S == 0 {
                let answered = stage::answer_all(&steady, until).await;
                assert_eq!(answered, stage::answer_all(&broken, until).await, "at {until} s");
            }
        }
        // Behind a last beat stands nothing that a stop could leave unread.
        for node in [&mut steady, &mut broken] {
            node.beat_again(HOURS * 3_600).await;
        }
        let [first, other] = folders;
        let (steady, broken) = (end(steady, first).await, end(broken, other).await);
        assert_eq!(steady.view, broken.view);
        assert_eq!(steady.lives, broken.lives);
        assert_eq!(steady.points, broken.points);
        let samples: usize = steady.points.iter().map(|(_, count, _)| count).sum();
        assert!(samples > 100_000 * HOURS as usize, "{samples} samples are no day of a ward");
        for one in [&steady, &broken] {
            let again = rebuilt(one, &clock).await;
            assert_eq!(again.view, one.view);
            assert_eq!(again.lives, one.lives);
            assert_eq!(again.points, one.points);
            assert!(again.core == one.core, "the journal alone leads to another state");
            remade::check(one.folder.path());
        }
        story::check(&steady.lives);
    }
}
