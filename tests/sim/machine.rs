//! A simulated workstation: its disk, its clocks, its copy of the server's rows.

use coord_protocol::time::Millis;

use crate::chance::Chance;
use crate::copies::Copies;
use crate::files::Files;

/// Boot clocks run off by so many millionths.
const DRIFTS: [i64; 5] = [0, 50, -50, 10_000, -10_000];

/// A workstation.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Its disk.
    pub(crate) files: Files,
    /// Its replica.
    pub(crate) copies: Copies,
    /// How far its wall clock is off, in milliseconds.
    pub(crate) off: i64,
    /// It has no network until then.
    pub(crate) cut_off_until: u64,
    /// It is switched off until then.
    pub(crate) dark_until: u64,
    /// When it was switched on.
    booted_at: u64,
    /// How often it was switched on.
    pub(crate) boots: u32,
    /// How far its boot clock runs off, in millionths.
    drift: i64,
}

impl Machine {
    /// A workstation that was just switched on.
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let drift = *chance.pick(&DRIFTS);
        Self {
            files: Files::default(),
            copies: Copies::new(),
            off: 0,
            cut_off_until: 0,
            dark_until: 0,
            booted_at: 0,
            boots: 0,
            drift,
        }
    }

    /// Its boot clock at this moment.
    pub(crate) fn boot(&self, now: u64) -> Millis {
        let on = i64::try_from(now.saturating_sub(self.booted_at)).unwrap_or(i64::MAX / 20_000);
        Millis((on + on * self.drift / 1_000_000) / 1000)
    }

    /// The name of its present run.
    pub(crate) fn boot_id(&self) -> String {
        format!("run-{}", self.boots)
    }

    /// The power goes: what is left is what was synced. True: the replica is lost.
    pub(crate) fn lose_power(&mut self, chance: &mut Chance, now: u64) -> bool {
        self.boots += 1;
        self.booted_at = now;
        self.files.power_cut(chance);
        let lost = chance.hit(500_000);
        if lost {
            self.copies = Copies::new();
        }
        lost
    }
}
