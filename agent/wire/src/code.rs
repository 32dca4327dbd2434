// SPDX-License-Identifier: MIT OR Apache-2.0
//! Codes of [`Response::Failed`](crate::Response::Failed) that have to do with
//! frames. All others are the console's, whose numbers are different from these.

/// The body is not that of its kind.
pub const BAD_MESSAGE: u16 = 480;
/// The agent knows no such kind of request.
pub const UNKNOWN_KIND: u16 = 481;
/// There is no list, output or transaction open that this could go on with.
pub const NOT_OPEN: u16 = 482;
/// A transaction is open, in which this cannot be done.
pub const IN_TRANSACTION: u16 = 483;
/// A change of the transaction failed before, and all of it was dropped.
pub const TRANSACTION_FAILED: u16 = 484;
/// The line has no speed, or cannot have this one.
pub const NO_SPEED: u16 = 485;

/// Every one of them, and what it means.
pub const ALL: [(u16, &str); 6] = [
    (
        BAD_MESSAGE,
        "the body of a frame is not that of its kind of message",
    ),
    (UNKNOWN_KIND, "the agent does not know this kind of request"),
    (NOT_OPEN, "no list, output or transaction is open"),
    (
        IN_TRANSACTION,
        "this cannot be done while a transaction is open",
    ),
    (
        TRANSACTION_FAILED,
        "a change of the transaction failed before, and all of it was dropped",
    ),
    (NO_SPEED, "the line has no speed, or cannot have this one"),
];
