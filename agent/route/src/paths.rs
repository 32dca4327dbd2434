// SPDX-License-Identifier: MIT OR Apache-2.0
//! The list of a prefix's paths: its order, by the rules of the kernel's table, and the
//! difference between two lists.

use crate::{Path, Prefix, Route};

/// The index at which a path of this metric is added to a list: the lowest metric comes
/// first, and paths of one metric stay in the order in which they were added.
pub fn append_index<D>(paths: &[Path<D>], metric: u32) -> usize {
    paths.partition_point(|path| path.metric <= metric)
}

/// Calls `each` with the paths that are only in `before` (`-`) and only in `after` (`+`). If
/// the common paths have another order, calls `each` with all paths of both lists.
pub fn path_diff<D: Clone + PartialEq>(
    prefix: Prefix,
    before: &[Path<D>],
    after: &[Path<D>],
    each: &mut dyn FnMut(char, Route<D>),
) {
    let mut only = |sign, these: &[Path<D>], others: &[Path<D>]| {
        for path in these.iter().filter(|path| !others.contains(path)) {
            let path = path.clone();
            each(sign, Route { prefix, path });
        }
    };
    let common_before = before.iter().filter(|path| after.contains(path));
    let common_after = after.iter().filter(|path| before.contains(path));
    if common_before.ne(common_after) {
        only('-', before, &[]);
        only('+', after, &[]);
    } else {
        only('-', before, after);
        only('+', after, before);
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::DeviceName;

    fn differ(before: &[&str], after: &[&str]) -> Vec<String> {
        let paths = |texts: &[&str]| -> Vec<Path<DeviceName>> {
            let routes = texts.iter().map(|text| format!("10.0.0.0/8 {text}"));
            routes
                .map(|text| text.parse::<Route<DeviceName>>().unwrap().path)
                .collect()
        };
        let mut found = Vec::new();
        let prefix = "10.0.0.0/8".parse().unwrap();
        path_diff(prefix, &paths(before), &paths(after), &mut |sign, route| {
            found.push(format!("{sign} {route}"));
        });
        found
    }

    #[test]
    fn a_path_is_added_behind_those_of_its_metric() {
        let path = |metric| {
            let route = format!("10.0.0.0/8 dev a metric {metric}");
            route.parse::<Route<DeviceName>>().unwrap().path
        };
        let paths = [1, 5, 5, 9].map(path);
        let indexes: Vec<_> = [0, 1, 5, 6, 9]
            .map(|metric| append_index(&paths, metric))
            .into();
        assert_eq!(indexes, [0, 1, 3, 3, 4]);
        assert_eq!(append_index::<DeviceName>(&[], 7), 0);
    }

    #[test]
    fn paths_that_are_on_one_side_only() {
        assert_eq!(differ(&[], &[]), [""; 0]);
        assert_eq!(differ(&["dev a"], &["dev a"]), [""; 0]);
        assert_eq!(differ(&[], &["dev a"]), ["+ 10.0.0.0/8 dev a"]);
        assert_eq!(
            differ(&["dev a", "dev b"], &["dev b", "dev c"]),
            ["- 10.0.0.0/8 dev a", "+ 10.0.0.0/8 dev c"]
        );
    }

    #[test]
    fn an_order_that_differs_counts_beside_what_came_and_went() {
        let paths = differ(&["dev a", "dev b", "dev c"], &["dev b", "dev a", "dev d"]);
        let signs: String = paths.iter().map(|line| &line[..1]).collect();
        assert_eq!(signs, "---+++");
        assert!(paths[3].ends_with("dev b"), "the one in use");
    }

    #[test]
    fn an_order_that_differs_counts() {
        assert_eq!(
            differ(&["dev a", "dev b"], &["dev b", "dev a"]),
            [
                "- 10.0.0.0/8 dev a",
                "- 10.0.0.0/8 dev b",
                "+ 10.0.0.0/8 dev b",
                "+ 10.0.0.0/8 dev a"
            ]
        );
    }
}
