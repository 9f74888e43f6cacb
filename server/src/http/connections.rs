//! Who is connected. When all places are taken, the connection that has waited longest without
//! asking anything makes way: half-open connections cannot keep others out (G45, G46).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Connections at most, together.
const CONNECTIONS_MAX: usize = 256;
/// Connections at most from one address that is not loopback.
const PER_ADDRESS_MAX: usize = 32;

struct Place {
    from: IpAddr,
    /// `None` while a request is being worked on.
    waiting_since: Option<Instant>,
    leave: Arc<Notify>,
}

/// The table of connections.
#[derive(Default)]
pub(super) struct Connections {
    places: Mutex<(u64, HashMap<u64, Place>)>,
}

/// One connection's place in the table; given back when dropped.
pub(super) struct Seat {
    table: Arc<Connections>,
    number: u64,
    /// Told when this connection has to make way.
    pub(super) leave: Arc<Notify>,
}

impl Connections {
    /// A place for a new connection, or `None` when every other one is at work.
    pub(super) fn seat(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let mut guard = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, places) = &mut *guard;
        let crowded = !from.is_loopback()
            && places.values().filter(|p| p.from == from).count() >= PER_ADDRESS_MAX;
        if places.len() >= CONNECTIONS_MAX || crowded {
            let idle = places
                .iter()
                .filter(|(_, p)| !crowded || p.from == from)
                .filter_map(|(n, p)| p.waiting_since.map(|t| (t, *n)))
                .min()?;
            if let Some(p) = places.remove(&idle.1) {
                p.leave.notify_one();
            }
        }
        *last += 1;
        let leave = Arc::new(Notify::new());
        let place = Place { from, waiting_since: Some(Instant::now()), leave: Arc::clone(&leave) };
        places.insert(*last, place);
        Some(Seat { table: Arc::clone(self), number: *last, leave })
    }

    fn change(&self, number: u64, f: impl FnOnce(&mut Place)) {
        let mut guard = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(p) = guard.1.get_mut(&number) {
            f(p);
        }
    }
}

impl Seat {
    /// A request has arrived.
    pub(super) fn busy(&self) {
        self.table.change(self.number, |p| p.waiting_since = None);
    }

    /// Its answer is ready.
    pub(super) fn idle(&self) {
        self.table.change(self.number, |p| p.waiting_since = Some(Instant::now()));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut guard = self.table.places.lock().unwrap_or_else(PoisonError::into_inner);
        guard.1.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_makes_way() {
        let table = Arc::new(Connections::default());
        let home: IpAddr = [127, 0, 0, 1].into();
        let seats: Vec<_> = (0..CONNECTIONS_MAX).map(|_| table.seat(home).unwrap()).collect();
        seats[0].busy();
        let one_more = table.seat(home).unwrap();
        assert!(!table.places.lock().unwrap().1.contains_key(&seats[1].number));
        assert!(table.places.lock().unwrap().1.contains_key(&seats[0].number));
        seats.iter().for_each(Seat::busy);
        one_more.busy();
        assert!(table.seat(home).is_none());
    }

    #[test]
    fn one_address_cannot_take_all() {
        let table = Arc::new(Connections::default());
        let far: IpAddr = [192, 0, 2, 1].into();
        let seats: Vec<_> = (0..PER_ADDRESS_MAX).map(|_| table.seat(far).unwrap()).collect();
        seats.iter().for_each(Seat::busy);
        assert!(table.seat(far).is_none());
        assert!(table.seat([192, 0, 2, 2].into()).is_some());
    }
}
