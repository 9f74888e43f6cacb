//! Many ask for one file at the same moment.

use std::sync::Barrier;
use std::thread;

use coord_tests::raw::{Answer, Ask, Conn};

use super::judged::{claim_of, on_each, rows, with_token};

const RACERS: usize = 8;
const ROUNDS: usize = 500;

fn granted(answer: &Answer) -> usize {
    answer.json()["claim_ids"].as_array().expect("a claim answer").len()
}

#[test]
fn one_winner() {
    on_each("peer::race", |s| {
        // Several win with the other one, in each round.
        if !s.is_ours() {
            return;
        }
        let ready = Barrier::new(RACERS);
        // Nobody gives up in the middle: the others would wait for him at the line for ever.
        let race = |racer: usize| -> Vec<Option<Answer>> {
            let mut conn = Conn::open(s.address()).ok();
            let one = |round: usize| {
                let claim = claim_of(&format!("e{racer}"), &format!("src/r{round}.ts"));
                let ask = with_token(Ask::new("POST", "/claims").json(&claim));
                ready.wait();
                conn.as_mut()?.ask(&ask).ok()
            };
            (0..ROUNDS).map(one).collect()
        };
        let all: Vec<Vec<Option<Answer>>> = thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS).map(|r| scope.spawn(move || race(r))).collect();
            racers.into_iter().map(|r| r.join().unwrap()).collect()
        });
        for round in 0..ROUNDS {
            let of_round = all.iter().map(|racer| racer[round].as_ref().expect("an answer"));
            let said: Vec<(u16, usize)> = of_round.map(|a| (a.status, granted(a))).collect();
            let won = said.iter().filter(|said| **said == (200, 1)).count();
            let lost = said.iter().filter(|said| **said == (409, 0)).count();
            assert_eq!((won, lost), (1, RACERS - 1), "round {round}: {said:?}");
        }
        assert_eq!(rows(&s.get("/claims").expect(200), "claims").len(), ROUNDS);
    });
}
