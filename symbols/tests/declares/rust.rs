//! Rust.

use super::{line, read};

#[test]
fn everything_a_file_declares() {
    let source = "
//! Words.
#![allow(dead_code)]
use std::fmt;
pub const LIMIT: usize = 1;
const _: () = ();
static mut COUNT: u8 = 0;
pub type Pair<T> = (T, T);
pub struct Router<T> { pub name: T, routes: Vec<T> }
struct Unit;
struct Tuple(u8);
union Bits { a: u8, b: i8 }
pub enum Kind { Plain, With { size: u8 }, Of(u8) }
pub trait Handle: Send { type Out; const MAX: u8 = 1; fn handle(&self); fn twice(&self) {} }
impl<T> Router<T> where T: Send { pub const NEW: u8 = 1; pub async fn open() { fn inner() {} } }
impl<T> Handle for Router<T> { type Out = u8; fn handle(&self) {} }
impl fmt::Display for crate::Kind { fn fmt(&self) {} }
impl From<u8> for &'static Unit { fn from() {} }
impl dyn Handle { fn any() {} }
macro_rules! shout { () => {} }
pub(crate) const unsafe extern \"C\" fn low() {}
unsafe extern \"C\" { fn foreign(); static ERRNO: i32; }
mod outer { pub mod inner { pub struct Deep; impl Deep { fn go() {} } } }
mod elsewhere;
#[cfg(test)]
mod tests { #[test] fn works() {} }
";
    assert_eq!(
        line("a.rs", source),
        "LIMIT COUNT Pair Router Router::name Router::routes Unit Tuple Bits Bits::a Bits::b Kind \
         Kind::Plain Kind::With Kind::With::size Kind::Of Handle Handle::Out Handle::MAX \
         Handle::handle Handle::twice Router::NEW Router::open Router::Out Router::handle Kind::fmt \
         Unit::from Handle::any shout low foreign ERRNO outer outer::inner outer::inner::Deep \
         outer::inner::Deep::go elsewhere tests tests::works"
    );
}

#[test]
fn a_macro_may_declare_anything() {
    let found = read("a.rs", "fn a() { println!(); }\nthread_local! { static X: u8 = 1; }\n");
    assert_eq!((found.paths, found.complete), (vec!["a".to_owned()], false));
    assert_eq!(line("a.rs", "fn a() { println!(\"x\"); }"), "a");
}
