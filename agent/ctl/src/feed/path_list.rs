// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists of paths, each kept once for all routes that have it.

use std::collections::HashSet;
use std::sync::Arc;

use nl31_route::{DeviceName, Path};

/// Paths of one prefix and metric, in their order.
pub type PathList = Arc<Vec<Path<DeviceName>>>;

/// Lists that are few before the unused ones are looked for.
const FEW: usize = 1024;

/// Every list that a route has.
#[derive(Debug, Default)]
pub struct PathLists {
    lists: HashSet<PathList>,
    /// The number of lists at which the unused ones are dropped.
    limit: usize,
}

impl PathLists {
    /// The one list with these paths.
    pub fn intern(&mut self, paths: Vec<Path<DeviceName>>) -> PathList {
        if let Some(list) = self.lists.get(&paths) {
            return Arc::clone(list);
        }
        if self.lists.len() >= self.limit.max(FEW) {
            self.lists.retain(|list| Arc::strong_count(list) > 1);
            self.limit = self.lists.len() * 2;
        }
        let list = Arc::new(paths);
        self.lists.insert(Arc::clone(&list));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nl31_route::Route;

    fn path(metric: usize) -> Vec<Path<DeviceName>> {
        let route = format!("10.0.0.0/8 dev lo metric {metric}");
        vec![route.parse::<Route<DeviceName>>().unwrap().path]
    }

    #[test]
    fn equal_lists_are_one() {
        let mut lists = PathLists::default();
        let first = lists.intern(path(1));
        assert!(Arc::ptr_eq(&first, &lists.intern(path(1))));
        assert!(!Arc::ptr_eq(&first, &lists.intern(path(2))));
    }

    #[test]
    fn unused_lists_are_dropped() {
        let mut lists = PathLists::default();
        let kept = lists.intern(path(0));
        for metric in 1..10 * FEW {
            lists.intern(path(metric));
        }
        assert!(lists.lists.len() <= FEW, "{}", lists.lists.len());
        assert!(Arc::ptr_eq(&kept, &lists.intern(path(0))));
    }
}
