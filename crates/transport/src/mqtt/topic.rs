//! Topic names and filters: what is well-formed, and which filter hears which topic.

use model::SiteId;

use super::{
    Limits,
    proto::{Fault, Reason},
};

/// Whether a topic may be published to at all, by its form [§4.7].
pub(crate) fn check_name(limits: &Limits, topic: &str) -> Result<(), Fault> {
    let fault = |words| Err(Fault::new(Reason::TopicNameInvalid, words));
    if topic.is_empty() {
        return fault("an empty topic");
    }
    if topic.contains(['+', '#']) {
        return fault("a topic with a wildcard");
    }
    if topic.len() > limits.topic_len_max || levels(topic) > limits.topic_levels_max {
        return fault("a topic with too many bytes or levels");
    }
    Ok(())
}

/// Whether a filter may be subscribed to, by its form; the answer is the SUBACK's code.
pub(crate) fn check_filter(limits: &Limits, filter: &str) -> Result<(), Reason> {
    let filter = match filter.strip_prefix("$share/") {
        None => filter,
        Some(_) => match shared(filter) {
            Some((name, filter)) if !name.is_empty() && !name.contains(['+', '#']) => filter,
            Some(_) | None => return Err(Reason::TopicFilterInvalid),
        },
    };
    let bounded = filter.len() <= limits.topic_len_max && levels(filter) <= limits.topic_levels_max;
    if filter.is_empty() || !bounded {
        return Err(Reason::TopicFilterInvalid);
    }
    let mut parts = filter.split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let sound = match part {
            "+" => true,
            "#" => last,
            _ => !part.contains(['+', '#']),
        };
        if !sound {
            return Err(Reason::TopicFilterInvalid);
        }
    }
    Ok(())
}

/// The name and the filter of a shared subscription [§4.8.2].
pub(crate) fn shared(filter: &str) -> Option<(&str, &str)> {
    filter.strip_prefix("$share/")?.split_once('/')
}

/// The site that a topic or filter of ours is about.
pub(crate) fn site_of(topic: &str) -> Option<SiteId> {
    let topic = shared(topic).map_or(topic, |(_, filter)| filter);
    topic.strip_prefix("wl/1/")?.split('/').next()?.parse().ok()
}

fn levels(topic: &str) -> usize {
    topic.split('/').count()
}

/// Whether a well-formed filter hears a topic [§4.7.1, §4.7.2].
pub(crate) fn hears(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            // `a/#` hears `a` itself.
            (Some(_), None) | (None, Some(_)) | (Some(_), Some(_)) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_filter_hears_what_the_standard_says() {
        let rows = [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/uptime", false),
            ("+/uptime", "$SYS/uptime", false),
            ("$SYS/#", "$SYS/uptime", true),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/b", false),
        ];
        for (filter, topic, expected) in rows {
            assert_eq!(hears(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn names_and_filters_are_bounded_at_their_limits() {
        let limits = Limits { topic_len_max: 5, topic_levels_max: 3, ..Limits::default() };
        for (topic, sound) in
            [("a/b/c", true), ("a/b/cd", false), ("a//b", true), ("////", false), ("", false)]
        {
            assert_eq!(check_name(&limits, topic).is_ok(), sound, "{topic}");
            assert_eq!(check_filter(&limits, topic).is_ok(), sound, "{topic}");
        }
    }

    #[test]
    fn a_wildcard_stands_alone_in_its_level_and_a_hash_comes_last() {
        let limits = Limits::default();
        let invalid = Err(Reason::TopicFilterInvalid);
        let rows = [
            ("a/+/b", Ok(())),
            ("a/#", Ok(())),
            ("#", Ok(())),
            ("a/#/b", invalid),
            ("a#", invalid),
            ("a/b+", invalid),
            ("$share/group/a", Ok(())),
            ("$share/group/a/#", Ok(())),
            ("$share/group/a/#/b", invalid),
            ("$share/group/", invalid),
            ("$share/group", invalid),
            ("$share//a", invalid),
            ("$share/g+/a", invalid),
            ("$shared/a", Ok(())),
        ];
        for (filter, expected) in rows {
            assert_eq!(check_filter(&limits, filter), expected, "{filter}");
        }
        for wild in ["a/+", "#", "a+b"] {
            assert!(check_name(&limits, wild).is_err(), "{wild}");
        }
    }

    /// The standard's words, slower: each prefix of the filter against each prefix of the topic.
    fn reference(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            (["+", filter @ ..], [_, topic @ ..]) => reference(filter, topic),
            ([wanted, filter @ ..], [found, topic @ ..]) => {
                wanted == found && reference(filter, topic)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn hearing_agrees_with_its_reference(
            filter in prop::collection::vec(prop::sample::select(vec!["a", "b", "", "+"]), 1..5),
            hash in any::<bool>(),
            topic in prop::collection::vec(prop::sample::select(vec!["a", "b", "", "c"]), 1..6),
        ) {
            let mut filter = filter;
            if hash { filter.push("#"); }
            let expected = reference(&filter, &topic);
            prop_assert_eq!(hears(&filter.join("/"), &topic.join("/")), expected);
        }
    }
}
