package policy

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrCSV is wrapped by every error about a policy file; the text names the line.
var ErrCSV = errors.New("policy: invalid policy file")

const (
	maxCSV  = 32 << 20
	maxLine = 64 << 10
	noteTag = "#vitrine "
)

// note is what Casbin's rows have no column for, kept as a comment before a row.
type note struct {
	ID          string      `json:"id"`
	Obligations Obligations `json:"obligations"`
	Title       string      `json:"title,omitempty"`
}

// WriteCSV writes the policy as Casbin's file adapter and command line read it,
// with model.conf: rows "p, subject, workspace, object, action, condition, effect"
// and "g, member, role, workspace". Id, obligations and title of a rule stand in
// a comment before it, which ReadCSV reads back.
func WriteCSV(w io.Writer, rules []Rule, groups []Grouping) error {
	out := csv.NewWriter(w)
	for _, r := range rules {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(note{r.ID, r.Obligations, r.Title}); err != nil {
			return fmt.Errorf("policy: writing rule %s: %w", r.ID, err)
		}
		out.Flush()
		if _, err := io.WriteString(w, noteTag+text.String()); err != nil {
			return fmt.Errorf("policy: writing a file: %w", err)
		}
		if err := out.Write([]string{"p", r.Subject, r.Workspace, r.Object, string(r.Action), r.Condition, r.Effect}); err != nil {
			return fmt.Errorf("policy: writing a file: %w", err)
		}
	}
	for _, g := range groups {
		if err := out.Write([]string{"g", g.Member, g.Role, g.Workspace}); err != nil {
			return fmt.Errorf("policy: writing a file: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("policy: writing a file: %w", err)
	}
	return nil
}

// ReadCSV reads such a file, ours or one written for Casbin with this model: a
// row without a note gets the id r-NNNN of its line. It reads the form only;
// Lint and Compile judge what the rules say. At most 32 MB.
func ReadCSV(r io.Reader) (rules []Rule, groups []Grouping, err error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxCSV+1))
	lines.Buffer(nil, maxLine)
	var next *note
	read := 0
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if read += len(lines.Bytes()) + 1; read > maxCSV {
			return nil, nil, fmt.Errorf("%w: it is larger than %d MB", ErrCSV, maxCSV>>20)
		}
		if text, ok := strings.CutPrefix(line, noteTag); ok {
			if next, err = readNote(text); err != nil {
				return nil, nil, fmt.Errorf("%w: line %d: the note is not readable: %v", ErrCSV, n, err)
			}
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		fields, err := fieldsOf(line)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: line %d: %v", ErrCSV, n, err)
		}
		switch {
		case fields[0] == "p" && len(fields) == 7:
			rule := Rule{ID: fmt.Sprintf("r-%04d", n), Subject: fields[1], Workspace: fields[2], Object: fields[3],
				Action: Action(fields[4]), Condition: fields[5], Effect: fields[6]}
			if next != nil {
				rule.ID, rule.Obligations, rule.Title = next.ID, next.Obligations, next.Title
			}
			rules, next = append(rules, rule), nil
		case fields[0] == "g" && len(fields) == 4:
			groups = append(groups, Grouping{Member: fields[1], Role: fields[2], Workspace: fields[3]})
		default:
			return nil, nil, fmt.Errorf("%w: line %d: write `p, subject, workspace, object, action, condition, effect` or `g, member, role, workspace`", ErrCSV, n)
		}
		if len(rules) > MaxRules || len(groups) > MaxGroups {
			return nil, nil, fmt.Errorf("%w: line %d: more than %d rules or %d groupings", ErrCSV, n, MaxRules, MaxGroups)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("%w: %v", ErrCSV, err)
	}
	if next != nil {
		return nil, nil, fmt.Errorf("%w: the note of %s is followed by no rule", ErrCSV, quote(next.ID))
	}
	return rules, groups, nil
}

func readNote(text string) (*note, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	var n note
	if err := dec.Decode(&n); err != nil {
		return nil, err
	}
	return &n, nil
}

// fieldsOf splits one row as Casbin does.
func fieldsOf(line string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.TrimLeadingSpace = true
	fields, err := r.Read()
	if err != nil {
		return nil, errors.New("it is not one row of comma-separated values")
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields, nil
}
