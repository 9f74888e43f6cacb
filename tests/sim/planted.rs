//! Planted bugs (4.5): each a slip that somebody could make, put in at the border between the real
//! code and the simulated world. A simulation that does not find them proves nothing.

/// A slip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// The line of an acknowledged entry is not synced.
    LineNotSynced,
    /// The new queue file is not synced before it is linked in.
    NewFileNotSynced,
    /// Folders are never synced.
    FoldersNotSynced,
    /// The appender relies on others for the folder's sync.
    AppenderSkipsFolder,
    /// Dead letters are not synced before the entry leaves the queue.
    LettersNotSynced,
    /// The new queue file is renamed over whatever has the name.
    LinkClobbers,
    /// The queue is copied aside rather than moved.
    CopiedAside,
    /// Moved files go although somebody has them open.
    NobodyAsked,
    /// A moved file counts as copied before the copy is durable.
    CountedEarly,
    /// The id of an adopted line is another one at each look.
    AdoptedAtRandom,
    /// Locks exclude nobody.
    LocksDoNotLock,
    /// A torn end of the queue is not noticed by the appender.
    TornEndUnseen,
    /// Each try has a new id.
    NewIdEachTry,
    /// Any 2xx counts as this server's answer.
    AnySuccessCounts,
    /// Anybody's 404 counts as this server's verdict.
    AnyNotFoundCounts,
    /// The server forgets its keys when it restarts.
    ServerForgets,
    /// The server answers before it has committed.
    AnswersEarly,
    /// Entries count as settled before they are sent.
    JournalBeforeSend,
    /// A line without an id is sent under one that is nowhere on the disk.
    SentBeforeIdOnDisk,
    /// A torn last record of the journal is believed.
    TornJournalBelieved,
    /// Claims are judged here without the lock.
    JudgedWithoutLock,
    /// A provisional answer has a fence.
    ProvisionalFence,
    /// A late claim is granted as if it had come in time.
    BackDated,
    /// A claim past its time is granted from the queue.
    StaleGranted,
    /// A piece of the feed is taken wherever the replica stands.
    ReplicaRegresses,
    /// What waits is done on an old copy.
    AheadStays,
    /// Whoever knows its id releases a lock.
    ReleaseUnchecked,
    /// A restarted server gives live leases no time.
    NoGrace,
    /// A session counts its lease by the wall clock.
    LeaseByWallClock,
}

impl Planted {
    /// All of them.
    pub(crate) const ALL: [Self; 29] = [
        Self::LineNotSynced,
        Self::NewFileNotSynced,
        Self::FoldersNotSynced,
        Self::AppenderSkipsFolder,
        Self::LettersNotSynced,
        Self::LinkClobbers,
        Self::CopiedAside,
        Self::NobodyAsked,
        Self::CountedEarly,
        Self::AdoptedAtRandom,
        Self::LocksDoNotLock,
        Self::TornEndUnseen,
        Self::NewIdEachTry,
        Self::AnySuccessCounts,
        Self::AnyNotFoundCounts,
        Self::ServerForgets,
        Self::AnswersEarly,
        Self::JournalBeforeSend,
        Self::SentBeforeIdOnDisk,
        Self::TornJournalBelieved,
        Self::JudgedWithoutLock,
        Self::ProvisionalFence,
        Self::BackDated,
        Self::StaleGranted,
        Self::ReplicaRegresses,
        Self::AheadStays,
        Self::ReleaseUnchecked,
        Self::NoGrace,
        Self::LeaseByWallClock,
    ];
}
