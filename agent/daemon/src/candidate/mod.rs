// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes of the table: edits that wait for a commit, the prefixes that they affect, and
//! the commit that is rolled back unless it is confirmed.

pub mod affected;
pub mod confirmed_commit;
pub mod edit;
pub mod edit_log;
pub mod flush;
