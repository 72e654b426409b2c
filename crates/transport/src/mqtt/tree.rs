//! Which subscriptions hear a topic: a tree of levels, so that a topic meets only the
//! filters that share its beginning, however many there are.

use std::collections::HashMap;

/// Subscriptions by filter; `T` says whose each is.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    root: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    below: HashMap<Box<str>, Node<T>>,
    /// What stands below a `+`.
    any: Option<Box<Node<T>>>,
    /// Filters that end here.
    here: Vec<T>,
    /// Filters that end here with a `#`.
    all: Vec<T>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { below: HashMap::new(), any: None, here: Vec::new(), all: Vec::new() }
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<T> Node<T> {
    fn is_empty(&self) -> bool {
        self.below.is_empty() && self.any.is_none() && self.here.is_empty() && self.all.is_empty()
    }
}

impl<T> Tree<T> {
    /// Adds a subscription under a well-formed filter.
    pub(crate) fn insert(&mut self, filter: &str, subscription: T) {
        let mut node = &mut self.root;
        for level in filter.split('/') {
            match level {
                "#" => {
                    node.all.push(subscription);
                    return;
                }
                "+" => node = node.any.get_or_insert_default(),
                _ => node = node.below.entry(level.into()).or_default(),
            }
        }
        node.here.push(subscription);
    }

    /// Removes the subscriptions of a filter that `is_it` says, and what became empty.
    pub(crate) fn remove(&mut self, filter: &str, is_it: impl Fn(&T) -> bool) {
        let levels: Vec<&str> = filter.split('/').collect();
        Self::remove_below(&mut self.root, &levels, &is_it);
    }

    fn remove_below(node: &mut Node<T>, levels: &[&str], is_it: &impl Fn(&T) -> bool) {
        match levels {
            [] => node.here.retain(|subscription| !is_it(subscription)),
            ["#", ..] => node.all.retain(|subscription| !is_it(subscription)),
            ["+", rest @ ..] => {
                if let Some(any) = &mut node.any {
                    Self::remove_below(any, rest, is_it);
                    if any.is_empty() {
                        node.any = None;
                    }
                }
            }
            [level, rest @ ..] => {
                if let Some(below) = node.below.get_mut(*level) {
                    Self::remove_below(below, rest, is_it);
                    if below.is_empty() {
                        node.below.remove(*level);
                    }
                }
            }
        }
    }

    /// Calls `heard` with each subscription that hears a topic [§4.7.1, §4.7.2].
    pub(crate) fn each<'a>(&'a self, topic: &str, mut heard: impl FnMut(&'a T)) {
        // A filter that begins with a wildcard does not hear `$…`.
        Self::each_below(&self.root, Some(topic), !topic.starts_with('$'), &mut heard);
    }

    fn each_below<'a>(
        node: &'a Node<T>,
        rest: Option<&str>,
        wild: bool,
        heard: &mut impl FnMut(&'a T),
    ) {
        if wild {
            // `a/#` hears `a` itself.
            node.all.iter().for_each(&mut *heard);
        }
        let Some(rest) = rest else {
            node.here.iter().for_each(heard);
            return;
        };
        let (level, rest) =
            rest.split_once('/').map_or((rest, None), |(at, rest)| (at, Some(rest)));
        if let Some(any) = node.any.as_ref().filter(|_| wild) {
            Self::each_below(any, rest, true, heard);
        }
        if let Some(below) = node.below.get(level) {
            Self::each_below(below, rest, true, heard);
        }
    }

    /// Whether nothing is subscribed to.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mqtt::topic;

    fn heard(tree: &Tree<usize>, topic: &str) -> Vec<usize> {
        let mut found = Vec::new();
        tree.each(topic, |subscription| found.push(*subscription));
        found.sort_unstable();
        found
    }

    proptest! {
        /// The reference asks each filter by itself.
        #[test]
        fn it_agrees_with_each_filter_by_itself(
            filters in prop::collection::vec(
                (prop::collection::vec(prop::sample::select(vec!["a", "b", "", "+", "$x"]), 1..4), any::<bool>()),
                0..12,
            ),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
            topic in prop::collection::vec(prop::sample::select(vec!["a", "b", "", "$x"]), 1..5),
        ) {
            let filters: Vec<String> = filters
                .into_iter()
                .map(|(levels, hash)| levels.into_iter().chain(hash.then_some("#")).collect::<Vec<_>>().join("/"))
                .collect();
            let mut tree = Tree::default();
            for (at, filter) in filters.iter().enumerate() {
                tree.insert(filter, at);
            }
            let gone: Vec<usize> = removed.iter().filter(|_| !filters.is_empty()).map(|index| index.index(filters.len())).collect();
            for at in &gone {
                tree.remove(&filters[*at], |found| found == at);
            }
            let topic = topic.join("/");
            let there = |at: &usize| !gone.contains(at) && topic::hears(&filters[*at], &topic);
            let expected: Vec<usize> = (0..filters.len()).filter(there).collect();
            prop_assert_eq!(heard(&tree, &topic), expected);
            for (at, filter) in filters.iter().enumerate() {
                tree.remove(filter, |found| *found == at);
            }
            prop_assert!(tree.is_empty(), "what is empty is taken away");
        }
    }
}
