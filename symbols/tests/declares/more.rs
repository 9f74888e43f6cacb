//! The languages that are not built in by default.

use super::line;

#[test]
fn java() {
    let source = "
package x.y;
import java.util.List;
@Service
public abstract class A<T> extends B implements C {
  static final int LIMIT = 1, OTHER;
  A() {}
  @Override public void run() { int local; }
  abstract int open();
  enum E { X, Y { void z() {} }; int q; void em() {} }
  interface I { int K = 1; void im(); default void d() {} }
  record R(int a) { R {} void rm() {} }
  @interface An { int v() default 1; }
  static class Nested { class Deep { void go() {} } }
  static {}
}
";
    assert_eq!(
        line("A.java", source),
        "A A::LIMIT A::OTHER A::A A::run A::open A::E A::E::X A::E::Y A::E::Y::z A::E::q A::E::em \
         A::I A::I::K A::I::im A::I::d A::R A::R::a A::R::R A::R::rm A::An A::An::v A::Nested \
         A::Nested::Deep A::Nested::Deep::go"
    );
}

#[test]
fn c() {
    let source = "
#ifndef H
#define H 1
#define MAX(a) (a)
#include <stdio.h>
typedef struct node { int a, *b; struct node *next; } node_t, *node_p;
typedef int (*callback)(int);
enum color { RED, GREEN = 2 };
struct point { int x; union { int in; }; void (*draw)(int); };
static const char *names[] = {0}, other;
extern int (*hook)(int);
struct point origin;
int prototype(void);
static int *find(int a) { int local; return 0; }
#endif
";
    assert_eq!(
        line("a.c", source),
        "H MAX node_t node_p node node::a node::b node::next callback color color::RED color::GREEN \
         point point::x point::in point::draw names other hook origin prototype find"
    );
}

#[test]
fn cpp() {
    let source = "
#pragma once
namespace a::b {
namespace { int hidden; }
class K : public B {
 public:
  K();
  ~K();
  virtual void m() = 0;
  template <class T> T get(T v) { return v; }
  enum class E { A };
  struct In { void q(); };
  bool operator==(const K&) const;
  operator bool() const;
  using Al = int;
  static const int S;
  int *p_ = nullptr;
};
}
template <typename T> void a::b::K<T>::m() {}
K::~K() {}
int *ns::f() { return 0; }
template <class T> concept C = true;
extern \"C\" { void cfun(); }
constexpr int N = 1;
auto lambda = [] {};
using V = std::vector<int>;
template <> struct hash<K> { int operator()(int) const; };
";
    assert_eq!(
        line("a.hpp", source),
        "a a::b a::b::hidden a::b::K a::b::K::K a::b::K::~K a::b::K::m a::b::K::get a::b::K::E \
         a::b::K::E::A a::b::K::In a::b::K::In::q a::b::K::operator== a::b::K::operator bool \
         a::b::K::Al a::b::K::S a::b::K::p_ a::b::K::m K::~K ns::f C cfun N lambda V hash \
         hash::operator()"
    );
    assert_eq!(coord_symbols::language_of("a.h").unwrap().name(), "cpp");
}

#[test]
fn csharp() {
    let source = "
using System;
namespace A.B {
  public partial class K<T> : Base {
    const int C = 1, D = 2;
    public int P { get; set; }
    public event Action Ev;
    K() {}
    ~K() {}
    public async Task M() { int local; }
    int this[int i] => 1;
    public static K operator +(K a) => a;
    enum E { X, Y = 1 }
    struct S { int f; }
    interface I { void Im(); }
    record R(int V);
    delegate void D1();
  }
}
";
    assert_eq!(
        line("a.cs", source),
        "A A::B A::B::K A::B::K::C A::B::K::D A::B::K::P A::B::K::Ev A::B::K::K A::B::K::~K \
         A::B::K::M A::B::K::this A::B::K::operator + A::B::K::E A::B::K::E::X A::B::K::E::Y \
         A::B::K::S A::B::K::S::f A::B::K::I A::B::K::I::Im A::B::K::R A::B::K::R::V A::B::K::D1"
    );
    assert_eq!(line("a.cs", "namespace A.B;\nclass K { void M() {} }\n"), "K K::M");
}

#[test]
fn ruby() {
    let source = "
require 'x'
module A::B
  VERSION = '1'
  class K < Base
    include M
    attr_accessor :x, :y
    has_many :posts
    def m(a) = 1
    def self.s; end
    def ==(o) end
    class << self
      def t; end
    end
    private def pr; end
    private
    P = Struct.new(:a) do
      def q; end
    end
    alias zz m
    define_method(:dm) { }
  end
end
def top; local = 1; end
A, C = 1, 2
if x
  def cond; end
end
";
    assert_eq!(
        line("a.rb", source),
        "A::B A::B::VERSION A::B::K A::B::K::x A::B::K::y A::B::K::m A::B::K::s A::B::K::== \
         A::B::K::t A::B::K::pr A::B::K::P A::B::K::P::q A::B::K::zz A::B::K::dm top A C cond"
    );
}

#[test]
fn php() {
    let source = "<?php
namespace App\\Auth;
use X\\Y;
const LIMIT = 1, OTHER = 2;
abstract class K extends B {
  use T;
  const C = 1;
  public static ?int $p = 1, $q;
  public function __construct(private int $a, $b) {}
  abstract function m();
}
interface I { function im(); }
trait Tr { function tm() {} }
enum E: string { case A = 'a'; const Z = 1; function em() {} }
function f() { $local = 1; }
if (!function_exists('g')) { function g() {} }
";
    assert_eq!(
        line("a.php", source),
        "LIMIT OTHER K K::C K::p K::q K::__construct K::a K::m I I::im Tr Tr::tm E E::A E::Z E::em \
         f g"
    );
    assert_eq!(line("a.php", "<?php namespace A\\B { class Z {} }"), "A A::B A::B::Z");
}

#[test]
fn kotlin() {
    let source = "
package x.y
const val LIMIT = 1
val (a, b) = pair
typealias Al = Int
fun <T> List<T>.ext(): Int = 1
val String.len: Int get() = 1
data class D(val a: Int, private var b: Int, c: Int) {
    companion object {
        const val Q = 1
        fun s() {}
    }
    suspend fun m() { val local = 1 }
    var p: Int = 1
    constructor(a: Int) : this(a, 1, 1) {}
    inner class In {
        fun q() {}
    }
}
sealed interface I {
    fun im()
}
enum class E(val v: Int) {
    A(1),
    B(2);
    fun em() {}
}
object O {
    fun om() {}
}
";
    assert_eq!(
        line("a.kt", source),
        "LIMIT a b Al ext len D D::a D::b D::Q D::s D::m D::p D::constructor D::In D::In::q I I::im E \
         E::v E::A E::B E::em O O::om"
    );
}

#[test]
fn swift() {
    let source = "
import Foundation
let limit = 1, other = 2
let (c, d) = (1, 2)
@MainActor
final class K<T>: B {
    static let shared = 1
    var value: Int { 1 }
    init(a: Int) {}
    deinit {
    }
    func run() async throws -> Int { let local = 1; return local }
    subscript(i: Int) -> Int { 1 }
    enum E {
        case a, b(Int)
        func em() {}
    }
    typealias Al = Int
}
struct S { func q() {} }
extension K.E: P { func ex() {} }
protocol P {
    var pv: Int { get }
    func pm()
    associatedtype As
}
actor Ac { func am() {} }
func f() {}
";
    assert_eq!(
        line("a.swift", source),
        "limit other c d K K::shared K::value K::init K::deinit K::run K::subscript K::E K::E::a \
         K::E::b K::E::em K::Al S S::q K::E::ex P P::pv P::pm P::As Ac Ac::am f"
    );
}

#[test]
fn scala() {
    let source = "
package x.y
import a.b
object O { val a, b = 1; var v = 2; def m = 1; type T = Int; val (p, q) = (1, 2) }
case class C(a: Int, val b: Int) extends D { def n() = { val local = 1; 1 }; class In { def q = 1 } }
trait Tr { def abs: Int; val av: Int; var ax: Int }
enum E { case A, B; case X(i: Int) }
given g: Int = 1
extension (s: String) { def ex = 1 }
def top() = 1
val t = 1
package object po { def w = 1 }
";
    assert_eq!(
        line("a.scala", source),
        "O O::a O::b O::v O::m O::T O::p O::q C C::a C::b C::n C::In C::In::q Tr Tr::abs Tr::av \
         Tr::ax E E::A E::B E::X E::X::i g ex top t po po::w"
    );
    assert_eq!(line("a.scala", "package z { class P }\n"), "z z::P");
}
