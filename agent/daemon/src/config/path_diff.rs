// SPDX-License-Identifier: MIT OR Apache-2.0
//! What differs between two lists of a prefix's paths.

use nl31_netlink::{Path, Prefix, Route};

/// Calls `each` with the paths that are only in `before` (`-`) and only in `after`
/// (`+`). Where those of both are in another order, with all of them.
pub fn difference<D: Clone + PartialEq>(
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
    use super::*;
    use nl31_route::DeviceName;

    fn differ(before: &[&str], after: &[&str]) -> Vec<String> {
        let paths = |texts: &[&str]| -> Vec<Path<DeviceName>> {
            let routes = texts.iter().map(|text| format!("10.0.0.0/8 {text}"));
            routes
                .map(|text| text.parse::<Route<DeviceName>>().unwrap().path)
                .collect()
        };
        let mut found = Vec::new();
        let prefix = "10.0.0.0/8".parse().unwrap();
        difference(prefix, &paths(before), &paths(after), &mut |sign, route| {
            found.push(format!("{sign} {route}"));
        });
        found
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
