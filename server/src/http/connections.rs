//! Who is connected. When all places are taken, the connection that has waited longest without
//! asking anything makes way: half-open connections cannot keep others out (G45, G46). A connection
//! that carries a stream leaves its place to others and takes one of the places for streams.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Connections at most, together.
const CONNECTIONS_MAX: usize = 256;
/// Connections at most from one address that is not loopback.
const PER_ADDRESS_MAX: usize = 32;
/// Streams at most, together and from one address that is not loopback; beside the connections.
const STREAMS_MAX: usize = 256;
const STREAMS_PER_ADDRESS_MAX: usize = 64;
/// The same of connections whose request waits for its answer.
const PARKED_MAX: usize = 2_000;
const PARKED_PER_ADDRESS_MAX: usize = 500;

/// A connection that came within this time asks in a moment; others wait for that rather than push it
/// out.
const ASKS_SOON: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq)]
enum Doing {
    /// Waiting for a request, since then.
    Nothing(Instant),
    /// A request is being worked on.
    Work,
    /// It carries a stream.
    Stream,
    /// Its request waits for its answer.
    Parked,
}

struct Place {
    from: IpAddr,
    doing: Doing,
    leave: Arc<Notify>,
}

/// The table of connections.
#[derive(Default)]
pub(super) struct Connections {
    places: Mutex<(u64, HashMap<u64, Place>)>,
}

/// What becomes of a new connection.
pub(super) enum Seating {
    /// It has a place.
    Seat(Seat),
    /// All places are taken by connections that came just now, and whose requests are on their way:
    /// there will be one in a moment.
    Soon,
    /// Every other connection is at work.
    Full,
}

/// One connection's place in the table; given back when dropped.
pub(super) struct Seat {
    table: Arc<Connections>,
    number: u64,
    /// Told when this connection has to make way.
    pub(super) leave: Arc<Notify>,
}

impl Connections {
    /// A place for a new connection.
    pub(super) fn seat(self: &Arc<Self>, from: IpAddr) -> Seating {
        let mut guard = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, places) = &mut *guard;
        let ordinary =
            || places.values().filter(|p| !matches!(p.doing, Doing::Stream | Doing::Parked));
        let crowded =
            !from.is_loopback() && ordinary().filter(|p| p.from == from).count() >= PER_ADDRESS_MAX;
        if ordinary().count() >= CONNECTIONS_MAX || crowded {
            let since = |p: &Place| match p.doing {
                Doing::Nothing(since) => Some(since),
                Doing::Work | Doing::Stream | Doing::Parked => None,
            };
            let longest = places
                .iter()
                .filter(|(_, p)| !crowded || p.from == from)
                .filter_map(|(n, p)| since(p).map(|t| (t, *n)))
                .min();
            match longest {
                None => return Seating::Full,
                Some((since, _)) if since.elapsed() < ASKS_SOON => return Seating::Soon,
                Some((_, number)) => {
                    if let Some(p) = places.remove(&number) {
                        p.leave.notify_one();
                    }
                }
            }
        }
        *last += 1;
        let leave = Arc::new(Notify::new());
        let doing = Doing::Nothing(Instant::now());
        places.insert(*last, Place { from, doing, leave: Arc::clone(&leave) });
        Seating::Seat(Seat { table: Arc::clone(self), number: *last, leave })
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
        self.table.change(self.number, |p| p.doing = Doing::Work);
    }

    /// Its answer is ready. One that goes on is none yet.
    pub(super) fn idle(&self) {
        self.table.change(self.number, |p| {
            if p.doing != Doing::Stream {
                p.doing = Doing::Nothing(Instant::now());
            }
        });
    }

    /// The answer is a stream, if there is a place for one more.
    pub(super) fn stream(&self) -> bool {
        self.change_to(Doing::Stream, STREAMS_MAX, STREAMS_PER_ADDRESS_MAX)
    }

    /// The request waits for its answer, if there is a place for one more.
    pub(super) fn park(&self) -> bool {
        self.change_to(Doing::Parked, PARKED_MAX, PARKED_PER_ADDRESS_MAX)
    }

    /// Leaves its place to others and takes one of those for `doing`.
    fn change_to(&self, doing: Doing, most: usize, per_address: usize) -> bool {
        let mut guard = self.table.places.lock().unwrap_or_else(PoisonError::into_inner);
        let places = &mut guard.1;
        let Some(from) = places.get(&self.number).map(|p| p.from) else { return false };
        let alike = || places.values().filter(|p| p.doing == doing);
        let crowded =
            !from.is_loopback() && alike().filter(|p| p.from == from).count() >= per_address;
        if crowded || alike().count() >= most {
            return false;
        }
        if let Some(p) = places.get_mut(&self.number) {
            p.doing = doing;
        }
        true
    }

    /// Whether it carries a stream.
    pub(super) fn is_stream(&self) -> bool {
        let guard = self.table.places.lock().unwrap_or_else(PoisonError::into_inner);
        guard.1.get(&self.number).is_some_and(|p| p.doing == Doing::Stream)
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

    impl Seating {
        #[track_caller]
        fn unwrap(self) -> Seat {
            match self {
                Self::Seat(seat) => seat,
                Self::Soon | Self::Full => panic!("no place"),
            }
        }

        fn is_none(&self) -> bool {
            matches!(self, Self::Full)
        }
    }

    #[test]
    fn the_longest_idle_makes_way() {
        let table = Arc::new(Connections::default());
        let home: IpAddr = [127, 0, 0, 1].into();
        let seats: Vec<_> = (0..CONNECTIONS_MAX).map(|_| table.seat(home).unwrap()).collect();
        seats[0].busy();
        // Those that came just now get time to ask.
        assert!(matches!(table.seat(home), Seating::Soon));
        std::thread::sleep(ASKS_SOON);
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
        table.seat([192, 0, 2, 2].into()).unwrap();
    }

    #[test]
    fn streams_have_places_of_their_own() {
        let table = Arc::new(Connections::default());
        let home: IpAddr = [127, 0, 0, 1].into();
        let streams: Vec<_> = (0..STREAMS_MAX).map(|_| table.seat(home).unwrap()).collect();
        for s in &streams {
            s.busy();
            assert!(s.stream());
            s.idle();
            assert!(s.is_stream(), "a stream is not idle because its head is out");
        }
        let others: Vec<_> = (0..CONNECTIONS_MAX).map(|_| table.seat(home).unwrap()).collect();
        others.iter().for_each(Seat::busy);
        assert!(table.seat(home).is_none());
        assert!(!others[0].stream(), "no place for one more stream");
        drop(streams);
        assert!(others[0].stream());
        let far: IpAddr = [192, 0, 2, 1].into();
        let from_far: Vec<_> = (0..=STREAMS_PER_ADDRESS_MAX)
            .map(|_| {
                let seat = table.seat(far).unwrap();
                (seat.stream(), seat)
            })
            .collect();
        assert_eq!(from_far.iter().filter(|(yes, _)| *yes).count(), STREAMS_PER_ADDRESS_MAX);
    }
}
