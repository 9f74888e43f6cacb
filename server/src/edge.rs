//! The real clock and the real random source, and the clock that a server's decisions go by.

use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::time::Millis;

/// The machine's clocks.
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Millis {
        millis(rustix::time::clock_gettime(rustix::time::ClockId::Realtime))
    }

    fn boot(&self) -> Millis {
        millis(rustix::time::clock_gettime(rustix::time::ClockId::Boottime))
    }

    fn sleep(&self, d: Duration) {
        std::thread::sleep(d);
    }
}

fn millis(t: rustix::time::Timespec) -> Millis {
    Millis(t.tv_sec.saturating_mul(1000).saturating_add(t.tv_nsec / 1_000_000))
}

/// The name of the network file system that an open file is on, if it is on one: kernel locks and
/// shared memory do not work there as coord needs them (G39).
pub fn network_file_system(file: &std::fs::File) -> Option<&'static str> {
    // Magic numbers of statfs(2).
    const KNOWN: &[(i64, &str)] = &[
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xfe53_4d42, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0x0102_1997, "9p"),
        (0x5346_414f, "AFS"),
        (0x6b41_4653, "AFS"),
        (0x00c3_6400, "Ceph"),
    ];
    let kind = rustix::fs::fstatfs(file).ok()?.f_type & 0xffff_ffff;
    KNOWN.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

/// Whether the user said that a network file system is fine.
pub fn network_file_systems_allowed() -> bool {
    std::env::var("COORD_ALLOW_NETWORK_FS").is_ok_and(|v| crate::settings::yes(&v))
}

/// The operating system's randomness.
pub struct OsRng;

impl Rng for OsRng {
    fn u64(&self) -> u64 {
        getrandom::u64().expect("the operating system has randomness")
    }
}

/// The time that leases are judged by: it starts at the wall clock, or at the last time the
/// database saw when that is later, and from there follows the boot clock. So a wall clock that
/// steps neither ends a lease early nor brings one back (G38).
pub struct LeaseClock<C> {
    inner: C,
    start: Millis,
    boot_at_start: Millis,
}

impl<C: Clock> LeaseClock<C> {
    /// Starts at the later of the wall clock and `last`.
    pub fn start(inner: C, last: Millis) -> Self {
        let (start, boot_at_start) = (inner.wall().max(last), inner.boot());
        Self { inner, start, boot_at_start }
    }

    /// The present moment.
    pub fn now(&self) -> Millis {
        self.start.plus(self.inner.boot().since(self.boot_at_start))
    }
}
