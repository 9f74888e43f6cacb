//! Go.

use super::line;

#[test]
fn everything_a_file_declares() {
    let source = "
package auth

import \"fmt\"

const Limit = 1
const (
	A, B = iota, 2
	_ = 3
)

var handler = func() {}
var (
	x int
	y, z = pair()
)
var _ Handler = (*Router)(nil)

type Router struct {
	Name, Path string
	*Embedded
}
type List[T any] struct{}
type Handler interface {
	Handle(x int) error
	fmt.Stringer
}
type Alias = Router
type (
	Kind int
	Fn   func(int) error
)

func New[T any]() *Router { local := 1; return nil }
func (r *Router) Handle() {}
func (Router) plain() {}
func (l *List[T]) Push(v T) {}
func init() {}
";
    assert_eq!(
        line("a.go", source),
        "Limit A B handler x y z Router Router::Name Router::Path List Handler Handler::Handle \
         Alias Kind Fn New Router::Handle Router::plain List::Push init"
    );
}
