//! A hand-over: what the one who goes tells the one who comes, post by post.

use crate::{CareUnitId, HandOverId, Post, Redacted, StaffId};

/// An offer of posts to the next shift; the posts change hands when it is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// Names it.
    pub id: HandOverId,
    /// Where the posts are.
    pub care_unit: CareUnitId,
    /// Who goes.
    pub from: StaffId,
    /// Who comes; only they can accept.
    pub to: StaffId,
    /// The posts, each with a note; every one is held by whoever goes.
    pub posts: Vec<PostNote>,
}

/// One post of a hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostNote {
    /// Which.
    pub post: Post,
    /// What the next one must know of it.
    pub note: Redacted<String>,
}
