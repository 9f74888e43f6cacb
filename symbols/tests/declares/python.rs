//! Python.

use super::line;

#[test]
fn everything_a_module_declares() {
    let source = "
from typing import TYPE_CHECKING
import os as system

LIMIT: int = 10
a, (b, *c) = d = 1, 2
[e, f] = x
handler = lambda q: q
os.environ['x'] = 'y'
counter += 1
type Pair[T] = tuple[T, T]
type Plain = int

def top(x, y=1):
    local = 1
    def inner(): pass

async def fetch(): ...

@decorated(1)
@twice
def wrapped(): pass

@dataclass
class Router(Base, metaclass=M):
    '''Words.'''
    ROUTES = {}
    name: str
    key = lambda self: 1
    def __init__(self):
        self.x = 1
    @property
    def size(self): return 1
    @staticmethod
    async def open(): pass
    class Inner:
        class Deep:
            def go(self): pass

if TYPE_CHECKING:
    Alias = int
elif os.name == 'nt':
    class Windows: pass
else:
    def fallback(): pass
try:
    import fast
except ImportError:
    fast = None
finally:
    DONE = 1
with x as y:
    WITH = 1
";
    assert_eq!(
        line("m.py", source),
        "LIMIT a b c d e f handler Pair Plain top fetch wrapped Router Router::ROUTES Router::name \
         Router::key Router::__init__ Router::size Router::open Router::Inner Router::Inner::Deep \
         Router::Inner::Deep::go Alias Windows fallback fast DONE WITH"
    );
}

#[test]
fn stubs() {
    assert_eq!(line("m.pyi", "def f(x: int) -> str: ...\nVERSION: str\n"), "f VERSION");
}
