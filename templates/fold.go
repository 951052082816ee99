package templates

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"text/template/parse"
)

// folding replaces actions by the text that they would write, where that is the same for every visitor:
//
//	{{text "consent.heading" "app" .App.Name}}
//
// becomes, in English,
//
//	<bdi>{{.App.Name}}</bdi> wants access
//
// It happens before html/template looks at the template, so that values are escaped for where they stand, as ever.
type folding struct {
	tree      *parse.Tree
	language  *language
	constants map[string]func(...string) (string, error)
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func (f folding) list(l *parse.ListNode) error {
	if l == nil {
		return nil
	}
	var kept []parse.Node
	for _, node := range l.Nodes {
		nodes := []parse.Node{node}
		var err error
		switch n := node.(type) {
		case *parse.ActionNode:
			nodes, err = f.action(n)
		case *parse.IfNode:
			if err = f.branch(n.List, n.ElseList); err == nil {
				nodes, err = f.choice(n)
			}
		case *parse.RangeNode:
			err = f.branch(n.List, n.ElseList)
		case *parse.WithNode:
			err = f.branch(n.List, n.ElseList)
		}
		if err != nil {
			return err
		}
		for _, n := range nodes {
			kept = appendText(kept, n)
		}
	}
	l.Nodes = kept
	return nil
}

// appendText adds a node, and text to text that stands right before it.
func appendText(nodes []parse.Node, node parse.Node) []parse.Node {
	if text, is := node.(*parse.TextNode); is && len(nodes) > 0 {
		if before, is := nodes[len(nodes)-1].(*parse.TextNode); is {
			before.Text = slices.Concat(before.Text, text.Text)
			return nodes
		}
	}
	return append(nodes, node)
}

func (f folding) branch(lists ...*parse.ListNode) error {
	for _, l := range lists {
		if err := f.list(l); err != nil {
			return err
		}
	}
	return nil
}

// choice replaces an if by the branch that everybody takes, if its condition is the same for everybody.
func (f folding) choice(n *parse.IfNode) ([]parse.Node, error) {
	value, is, err := f.constant(n.Pipe)
	switch {
	case err != nil || !is:
		return []parse.Node{n}, err
	case value != "":
		return n.List.Nodes, nil
	case n.ElseList != nil:
		return n.ElseList.Nodes, nil
	}
	return nil, nil
}

// constant is what a pipeline gives, if it is a call of one of the constants.
func (f folding) constant(pipe *parse.PipeNode) (value string, is bool, err error) {
	if len(pipe.Cmds) != 1 || len(pipe.Decl) > 0 {
		return "", false, nil
	}
	args := pipe.Cmds[0].Args
	name, _ := args[0].(*parse.IdentifierNode)
	if name == nil || f.constants[name.Ident] == nil {
		return "", false, nil
	}
	var given []string
	for _, arg := range args[1:] {
		if s, is := arg.(*parse.StringNode); is {
			given = append(given, s.Text)
		}
	}
	if value, err = f.constants[name.Ident](given...); err != nil {
		return "", false, f.fail(pipe, "%v", err)
	}
	return value, true, nil
}

func (f folding) action(n *parse.ActionNode) ([]parse.Node, error) {
	if value, is, err := f.constant(n.Pipe); is || err != nil {
		return []parse.Node{textNode(n, html.EscapeString(value))}, err
	}
	args := n.Pipe.Cmds[0].Args
	name, is := args[0].(*parse.IdentifierNode)
	if is && (name.Ident == "text" || name.Ident == "plain") && len(n.Pipe.Cmds) == 1 && len(n.Pipe.Decl) == 0 {
		return f.words(n, name.Ident, args[1:])
	}
	return []parse.Node{n}, nil
}

// words puts the words of the language in the place of the action. Where the words have a placeholder, the value given
// for it is written, kept apart from them by <bdi> or, in attributes and titles, by characters that do the same, so
// that a name in another direction, or one made to look like another, cannot reorder the sentence.
func (f folding) words(n *parse.ActionNode, kind string, args []parse.Node) ([]parse.Node, error) {
	var key *parse.StringNode
	if len(args) > 0 {
		key, _ = args[0].(*parse.StringNode)
	}
	if key == nil || len(args)%2 != 1 {
		return nil, f.fail(n, `%s is written {{%s "key" "placeholder" value …}}`, kind, kind)
	}
	words, known := f.language.words[key.Text]
	if !known {
		return nil, f.fail(n, "there are no words %q in %s", key.Text, f.language.tag)
	}
	values := map[string]parse.Node{}
	for i := 1; i < len(args); i += 2 {
		name, is := args[i].(*parse.StringNode)
		if !is {
			return nil, f.fail(n, `%s is written {{%s "key" "placeholder" value …}}`, kind, kind)
		}
		values["{"+name.Text+"}"] = args[i+1]
	}
	open, shut := "<bdi>", "</bdi>"
	if kind == "plain" {
		open, shut = "\u2068", "\u2069" // UAX #9: first strong isolate, pop directional isolate
	}
	var nodes []parse.Node
	written := 0
	for _, at := range placeholder.FindAllStringIndex(words, -1) {
		nodes = append(nodes, textNode(n, html.EscapeString(words[written:at[0]])))
		value := values[words[at[0]:at[1]]]
		switch v := value.(type) {
		case nil:
			return nil, f.fail(n, "the words %q need a value for %s", key.Text, words[at[0]:at[1]])
		case *parse.PipeNode: // one of our functions: dates, times, counts
			nodes = append(nodes, actionNode(n, v))
		case *parse.IdentifierNode:
			if f.constants[v.Ident] == nil {
				return nil, f.fail(n, "put %s in parentheses", v.Ident)
			}
			constant, err := f.constants[v.Ident]()
			if err != nil {
				return nil, f.fail(n, "%v", err)
			}
			nodes = append(nodes, textNode(n, open+html.EscapeString(constant)+shut))
		default:
			command := n.Pipe.Cmds[0].Copy().(*parse.CommandNode)
			command.Args = []parse.Node{v}
			pipe := n.Pipe.CopyPipe()
			pipe.Cmds = []*parse.CommandNode{command}
			nodes = append(nodes, textNode(n, open), actionNode(n, pipe), textNode(n, shut))
		}
		delete(values, words[at[0]:at[1]])
		written = at[1]
	}
	for name := range values {
		return nil, f.fail(n, "the words %q have no place for %s", key.Text, name)
	}
	return append(nodes, textNode(n, html.EscapeString(words[written:]))), nil
}

func (f folding) fail(n parse.Node, format string, args ...any) error {
	where, _ := f.tree.ErrorContext(n)
	return fmt.Errorf("%s: %s", where, fmt.Sprintf(format, args...))
}

func textNode(at parse.Node, s string) *parse.TextNode {
	return &parse.TextNode{NodeType: parse.NodeText, Pos: at.Position(), Text: []byte(s)}
}

func actionNode(like *parse.ActionNode, pipe *parse.PipeNode) *parse.ActionNode {
	n := like.Copy().(*parse.ActionNode)
	n.Pipe = pipe
	return n
}
