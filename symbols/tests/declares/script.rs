//! TypeScript, TSX, JavaScript.

use super::{line, paths, read};

#[test]
fn functions_types_and_values() {
    let source = "
import { a } from './a';
export function handleLogin() { const local = 1; function inner() {} }
export async function* pages() {}
function over(a: string): void;
function over(a: number): void;
function over(a: any) {}
export type Kind = 'a' | 'b';
export interface Shape { area: number; grow(by: number): void }
export enum Color { Red, Green = 1 }
export const enum Flag { On }
export const LIMIT = 10;
let counter, other = 2;
var legacy = function () {};
export const { left, right: renamed, ...rest } = pair, [first, second = 3] = list;
const useStore = create<State>()((set) => ({ n: 1 }));
declare function ambient(x: number): void;
declare const VERSION: string;
";
    assert_eq!(
        line("a.ts", source),
        "handleLogin pages over over over Kind Shape Shape::area Shape::grow Color Color::Red \
         Color::Green Flag Flag::On LIMIT counter other legacy left renamed rest first second \
         useStore ambient VERSION"
    );
}

#[test]
fn classes() {
    let source = "
@Injectable()
export abstract class Router<T> extends Base<T> implements I {
  static readonly routes = new Map();
  #secret = 1;
  declare x: number;
  handle = async () => {};
  static Guard = class { check() {} static Deep = class { go() {} } };
  constructor(private readonly db: Db, plain: number) { super(); }
  get size() { return 1; }
  set size(v) {}
  static of() {}
  async *iterate() {}
  @Get('/') list() { const hidden = () => {}; }
  abstract open(): void;
  protected abstract name: string;
  'quoted'() {}
  [Symbol.iterator]() {}
  static { init(); }
}
";
    assert_eq!(
        line("a.ts", source),
        "Router Router::routes Router::#secret Router::x Router::handle Router::Guard \
         Router::Guard::check Router::Guard::Deep Router::Guard::Deep::go Router::constructor \
         Router::db Router::size Router::size Router::of Router::iterate Router::list Router::open \
         Router::name Router::quoted Router::[Symbol.iterator]"
    );
}

#[test]
fn namespaces() {
    let source = "
namespace Outer { export namespace Inner { export function f() {} } const K = 1; }
export namespace A.B { export class C { m() {} } }
declare module 'express' { interface Request { user: string } }
declare module Legacy { function old(): void }
declare global { interface Window { coord: string } }
";
    assert_eq!(
        line("a.ts", source),
        "Outer Outer::Inner Outer::Inner::f Outer::K A A::B A::B::C A::B::C::m express \
         express::Request express::Request::user Legacy Legacy::old Window Window::coord"
    );
}

#[test]
fn default_exports() {
    for (source, declared) in [
        ("export default function () {}", "default"),
        ("export default function named() {}", "named"),
        ("export default class { run() {} }", "default default::run"),
        ("export default class Named { run() {} }", "Named Named::run"),
        ("export default async () => {};", "default"),
        ("export default memo(() => 1);", "default"),
        (
            "export default { name: 'x', data() {}, methods: { go() {} } };",
            "default default::data default::methods::go",
        ),
        ("const a = 1; export default a;", "a"),
        ("export default abstract class Q { abstract m(): void }", "Q Q::m"),
    ] {
        assert_eq!(line("a.ts", source), declared, "{source}");
    }
}

#[test]
fn wrapped_components_and_objects() {
    let source = "
export const Button = memo(forwardRef<HTMLButtonElement, Props>((props, ref) => <button ref={ref} />));
export const Lazy = React.lazy(() => import('./x'));
const Styled = styled.div`color: red;`;
function Page() { return <Button />; }
export const api = {
  get() {}, async put() {}, post: () => 1, del: function () {}, wrapped: debounce(() => {}),
  nested: { deep() {} }, data: 1, 'a-b': () => 1,
} as const;
const View = class Named { draw() {} };
";
    assert_eq!(
        line("a.tsx", source),
        "Button Lazy Styled Page api api::get api::put api::post api::del api::wrapped \
         api::nested::deep api::a-b View View::draw"
    );
    let found = read("a.tsx", source);
    assert!(found.known().contains(&"api::nested"), "{found:?}");
}

#[test]
fn javascript() {
    let source = "
#!/usr/bin/env node
'use strict';
class A { x = 1; #y; static z = class { m() {} }; static {} run() {} }
const App = () => <div />;
if (x) { var late = 1; } else { function other() {} }
try { var tried = 1 } catch (e) { }
module.exports.send = function () {};
exports.read = () => 1;
Queue.prototype.push = function () {};
module.exports = { one() {}, two: function () {} };
module.exports.limit = 3;
"
    .trim_start();
    assert_eq!(
        line("a.jsx", source),
        "A A::x A::#y A::z A::z::m A::run App late other tried send read Queue::push one two"
    );
}

#[test]
fn endings() {
    for (file, name) in [
        ("src/a.ts", "typescript"),
        ("a.d.ts", "typescript"),
        ("a.mts", "typescript"),
        ("x\\a.tsx", "tsx"),
        ("a.cjs", "javascript"),
        ("a.mjs", "javascript"),
        ("a.js", "javascript"),
    ] {
        assert_eq!(coord_symbols::language_of(file).unwrap().name(), name, "{file}");
    }
    for file in ["a", "ts", "a.ts/readme", "a.md", ""] {
        assert_eq!(coord_symbols::language_of(file), None, "{file}");
    }
}

#[test]
fn errors_leave_what_was_recognised() {
    let source = "export class A { ok() {} }\nfunction broken( {{{\nexport function after() {}\n";
    let found = read("a.ts", source);
    assert!(!found.complete);
    assert!(found.paths.contains(&"A::ok".to_owned()), "{found:?}");
    assert_eq!(coord_symbols::unknown(&found, &["nope".to_owned()]), Vec::<String>::new());
    assert_eq!(paths("a.ts", ""), "");
}
