package conformance

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"vitrine/explain"
)

func init() {
	register("ShapleyValues", compareShapley)
	register("FeatureAblation", compareGroups("feature-ablation", nil))
	register("KernelShap", compareKernelSHAP)
	register("Lime", compareLime)
}

// setGroups gives the problem the case's groups: of ids, features or pixels (one number a channel, the same in each).
func (s *subject) setGroups() error {
	if len(s.problems) != 1 {
		return unsupported("groups of a batch")
	}
	p := s.problems[0]
	var numbers []float64
	var rows [][]float64
	if s.c.param("groups", &rows) && len(rows) > 0 {
		numbers = rows[0]
	} else if list, err := s.recorded("groups", 1); err != nil {
		return err
	} else {
		for _, v := range list {
			numbers = append(numbers, v[0])
		}
	}
	units := len(p.Example.IDs)
	if p.Example.Pixels != nil {
		units = p.Example.Shape[1] * p.Example.Shape[2]
	}
	if len(numbers) < units || units == 0 {
		return unsupported("%d group numbers for %d units", len(numbers), units)
	}
	numbers = numbers[:units]
	top := slices.Max(numbers)
	if slices.Min(numbers) < 0 || top > 1<<12 {
		return unsupported("%v groups", top+1)
	}
	p.Given = &explain.Given{Groups: make([][]int, int(top)+1)}
	for u, v := range numbers {
		p.Given.Groups[int(v)] = append(p.Given.Groups[int(v)], u)
	}
	return nil
}

// setMasks gives the problem recorded coalitions.
func (s *subject) setMasks(param string) error {
	rows, err := s.recorded(param, len(s.problems[0].Given.Groups))
	if err != nil {
		return err
	}
	for _, row := range rows {
		mask := make([]bool, len(row))
		for k, v := range row {
			mask[k] = v != 0
		}
		s.problems[0].Given.Masks = append(s.problems[0].Given.Masks, mask)
	}
	return nil
}

// spread gives each value of the input its group's share, channel by channel, as Captum's tensors have it.
func (s *subject) spread(a *explain.Attribution) []float64 {
	p := s.problems[0]
	units := len(p.Example.IDs)
	channels := 1
	if p.Example.Pixels != nil {
		units, channels = p.Example.Shape[1]*p.Example.Shape[2], p.Example.Shape[0]
	}
	one := make([]float64, units)
	for k, group := range p.Given.Groups {
		for _, u := range group {
			one[u] = a.Groups[k]
		}
	}
	return slices.Concat(slices.Repeat(one, channels))
}

func compareGroups(method string, params map[string]any) runner {
	return func(ctx context.Context, s *subject) error {
		if s.problems[0].Given == nil {
			if err := s.setGroups(); err != nil {
				return err
			}
		}
		list, err := s.each(ctx, method, params)
		if err != nil {
			return err
		}
		s.compare("groups", collect(list, func(a *explain.Attribution) []float64 { return a.Groups }))
		s.compare("attributions", collect(list, s.spread))
		s.compare("values", collect(list, detail))
		s.compare("f_input", collect(list, func(a *explain.Attribution) []float64 { return []float64{a.Output} }))
		s.compare("f_baseline", collect(list, func(a *explain.Attribution) []float64 { return []float64{a.BaselineOutput} }))
		return nil
	}
}

func compareShapley(ctx context.Context, s *subject) error {
	if err := compareGroups("shapley", nil)(ctx, s); err != nil || !s.wants("coalitions") {
		return err
	}
	var sets []float64 // in the order of our values: the last group counts fastest
	m := len(s.problems[0].Given.Groups)
	for i := range 1 << m {
		for k := range m {
			sets = append(sets, float64(i>>(m-1-k)&1))
		}
	}
	s.compare("coalitions", [][]float64{sets})
	return nil
}

func compareKernelSHAP(ctx context.Context, s *subject) error {
	if err := s.setGroups(); err != nil {
		return err
	}
	if _, ok := s.c.Params["samples"]; ok {
		if err := s.setMasks("samples"); err != nil {
			return err
		}
	}
	return compareGroups("kernel-shap", nil)(ctx, s)
}

func compareLime(ctx context.Context, s *subject) error {
	if err := s.setGroups(); err != nil {
		return err
	}
	if err := s.setMasks("masks"); err != nil {
		return err
	}
	var similarity, model string
	s.c.param("similarity", &similarity)
	s.c.param("model", &model)
	params := map[string]any{}
	switch {
	case strings.Contains(similarity, "cos(mask"):
		params["similarity"], params["width"] = "mask", 0.25
	case strings.Contains(similarity, "1-cos(x"):
		params["similarity"], params["width"] = "cosine", 1.0
	case strings.Contains(similarity, "||x"):
		params["similarity"], params["width"] = "euclidean", 10.0
		if s.problems[0].Example.Pixels == nil {
			params["width"] = 50.0
		}
	default:
		return unsupported("this similarity")
	}
	for name, surrogate := range map[string]string{"Lasso": "lasso", "Ridge": "ridge", "LinearRegression": "linear"} {
		if strings.Contains(model, name) {
			params["surrogate"] = surrogate
		}
	}
	params["alpha"] = math.Max(0, number(model))
	return compareGroups("lime", params)(ctx, s)
}

// number reads the value of "alpha" out of the recorded name of a model; 0 where there is none.
func number(model string) float64 {
	_, after, ok := strings.Cut(model, `"alpha":`)
	if !ok {
		return 0
	}
	v, err := strconv.ParseFloat(strings.TrimRight(strings.TrimSpace(after), "}"), 64)
	if err != nil {
		return 0
	}
	return v
}
