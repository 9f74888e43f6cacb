//! Durable writes at the server, over keep-alive connections.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coord_tests::series::{Series, ms};

const CONNECTIONS: usize = 32;
const WRITING: Duration = Duration::from_secs(5);

pub(crate) fn measure(address: SocketAddr) {
    println!(
        "\ndurable writes (POST /api/coord/messages), keep-alive, {} s each",
        WRITING.as_secs()
    );
    println!("{:40} {:>10} {:>8} {:>8}", "", "per second", "p50 ms", "p99 ms");
    for connections in [1, 8, CONNECTIONS] {
        let stop = AtomicBool::new(false);
        let all: Vec<Duration> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..connections).map(|_| scope.spawn(|| write_until(address, &stop))).collect();
            std::thread::sleep(WRITING);
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().flat_map(|t| t.join().expect("a writer")).collect()
        });
        let n = all.len();
        let s = Series::of(all);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = n as f64 / WRITING.as_secs_f64();
        println!(
            "{:40} {rate:10.0} {:8.2} {:8.2}",
            format!("{connections} connections"),
            ms(s.at(0.5)),
            ms(s.at(0.99))
        );
    }
}

fn write_until(address: SocketAddr, stop: &AtomicBool) -> Vec<Duration> {
    let body = r#"{"from_session":"LOAD/x","to_session":"ALL_SESSIONS","subject":"s","body":"some text of usual length"}"#;
    let request = format!(
        "POST /api/coord/messages HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(address).expect("the server listens");
    socket.set_nodelay(true).expect("a socket");
    let mut buf = [0u8; 4096];
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        socket.write_all(request.as_bytes()).expect("sent");
        // Answers to this request are far smaller than the buffer and end with '}'.
        let mut got = 0;
        while got == 0 || buf[got - 1] != b'}' {
            got += socket.read(&mut buf[got..]).expect("an answer");
        }
        assert!(buf.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&buf[..got]));
        took.push(began.elapsed());
    }
    took
}
