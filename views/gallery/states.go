package gallery

import (
	"strings"

	"github.com/a-h/templ"

	"vitrine/policy"
	"vitrine/views"
	"vitrine/views/chart"
	"vitrine/views/ui"
)

func init() {
	register("signin", func(s views.Shell) templ.Component {
		return views.SignInPage(views.SignIn{Shell: guest(s), Demo: true})
	})
	register("signin-error", func(s views.Shell) templ.Component {
		return views.SignInPage(views.SignIn{Shell: guest(s), Name: "lin.wei", Error: "wrong", Wait: 4})
	})
	register("setup", func(s views.Shell) templ.Component { return views.SetupPage(views.Setup{Shell: guest(s), Token: "t"}) })
	register("setup-dead", func(s views.Shell) templ.Component { return views.SetupPage(views.Setup{Shell: guest(s), Dead: true}) })
	register("refused", func(s views.Shell) templ.Component {
		return views.RefusedPage(views.Refused{Shell: s, Decision: denied(), At: noon, LogIndex: 12428, Crumbs: []ui.Crumb{{Text: "audit"}},
			Instead: []views.Alternative{{Text: "lin.wei", URL: "/predictions"}}})
	})
	register("error-404", func(s views.Shell) templ.Component {
		return views.ErrorPage(views.Error{Shell: s, Status: 404, Code: "not_found"})
	})
	register("error-507-guest", func(s views.Shell) templ.Component {
		return views.ErrorPage(views.Error{Shell: guest(s), Status: 507, Code: "disk_full", Retry: "/"})
	})
	register("dashboard", dashboard)
	register("dashboard-empty", func(s views.Shell) templ.Component {
		return views.DashboardPage(views.Dashboard{Shell: as(s, "admin", "dashboard"), Since: noon, Health: views.Health{FirstBad: -1}})
	})
	register("playground-text", playground)
	register("playground-image", playgroundImage)
	register("playground-denied", func(s views.Shell) templ.Component {
		d := deniedByRule()
		m := playgroundModel(s)
		m.Denied = &d
		return views.PlaygroundPage(m)
	})
	register("prediction-text", predictionText)
	register("prediction-attention", predictionAttention)
	register("prediction-unsigned", predictionUnsigned)
	register("prediction-image", predictionImage)
	register("prediction-bare", func(s views.Shell) templ.Component {
		m := prediction(s)
		m.Log.Index, m.Warnings = -1, []string{"unknown-tokens"}
		return views.PredictionPage(m)
	})
	register("predictions", func(s views.Shell) templ.Component {
		s = as(s, "analyst", "predictions")
		return views.PredictionsPage(views.Predictions{Shell: s, Rows: rows(), Total: 4031, Older: "/predictions?before=x",
			Filters: []views.Filter{{Text: "sentiment-minilm", Without: "/predictions"}}})
	})
	register("predictions-empty", func(s views.Shell) templ.Component {
		return views.PredictionsPage(views.Predictions{Shell: as(s, "analyst", "predictions")})
	})
	register("help", func(s views.Shell) templ.Component {
		return views.HelpPage(views.Help{Shell: as(s, "analyst", "help")})
	})
}

func guest(s views.Shell) views.Shell {
	s.User, s.Role, s.Nav = "", "", ""
	return s
}

func dashboard(s views.Shell) templ.Component {
	return views.DashboardPage(views.Dashboard{
		Shell: as(s, "admin", "dashboard"), Health: health(), Since: noon.AddDate(0, 0, -7),
		Ranges:  []ui.Option{{Text: "24 h", URL: "?range=24h"}, {Text: "7 d", URL: "?range=7d", Current: true}},
		Policy:  views.PolicyVersion{Version: 42, Time: noon},
		Needs:   []views.Need{{Kind: "warn", What: "API key cheques-batch", Why: "2026-12-01", URL: "/", Open: "/"}},
		Numbers: []views.Number{{Name: "predictions", N: 2354, URL: "/predictions"}, {Name: "explanations", N: 1527, URL: "/audit"}, {Name: "denials", N: 62, URL: "/audit"}, {Name: "redactions", N: 78}, {Name: "models", N: 2, URL: "/models"}},
		Recent:  rows(), FirstID: "01KAV7Q2M8XW3E",
	})
}

func rows() []views.PredictionRow {
	m := views.ModelRef{Name: "sentiment-minilm", Version: "1.0.0", Digest: digestA}
	return []views.PredictionRow{
		{ID: "01KAV7Q2M8XW3E000000000001", Made: noon, Model: m, Label: "positive", Score: 0.736, Excerpt: "The plot is thin, but the acting is wonderful. [EMAIL_1]", Purpose: "quality-review", Actor: "lin.wei", Masked: 1, Methods: []string{"integrated-gradients"}},
		{ID: "01KAV7Q2M8XW3E000000000002", Made: noon, Model: views.ModelRef{Name: "digits-resnet", Version: "1.0.0", Digest: digestB}, Label: "8", Score: 0.597, Image: true, Purpose: "research", Actor: "key:cheques"},
	}
}

func playgroundModel(s views.Shell) views.Playground {
	return views.Playground{
		Shell: as(s, "analyst", "playground"), Kind: "text", Text: "The plot is thin, but the acting is wonderful. anna.lindqvist@example.org, +44 20 7946 0958",
		Models:   []views.Choice{{Value: "sentiment-minilm", Text: "sentiment-minilm@1.0.0", Selected: true}},
		Purposes: []views.Choice{{Value: "quality-review", Text: "quality review", Selected: true}},
		Model:    &views.PlaygroundModel{Name: "sentiment-minilm", Version: "1.0.0", Task: "text-classification", Labels: []string{"negative", "neutral", "positive"}, MaxTokens: 512, URL: "/models/sentiment-minilm"},
		Examples: []ui.Option{{Text: "I love this phone: the screen is gorgeous.", URL: "?example=0"}},
		Methods:  methods(), Decision: allowed(), Example: -1,
		Preview: &views.Preview{
			Pieces:   views.MaskPieces("The plot is thin, but the acting is wonderful. [EMAIL_1], [PHONE_1]"),
			Findings: []views.MaskFinding{{Kind: "email", Text: "anna.lindqvist@example.org", Becomes: "[EMAIL_1]", Score: 1, Masked: true}, {Kind: "phone", Text: "+44 20 7946 0958", Becomes: "[PHONE_1]", Score: 0.92, Masked: true}},
			Rule:     "r-001", Tokens: strings.Fields("[CLS] the plot is thin , but the acting is wonderful . [ email _ 1 ] [SEP]"), Special: make([]bool, 19), Windows: 1,
		},
		CLI:  "vitrine explain -m sentiment-minilm@1.0.0 --text '…' --method integrated-gradients --json",
		Curl: "curl https://vitrine.example.org/api/v1/predictions -H \"Authorization: Bearer $KEY\" -d @request.json",
	}
}

func playground(s views.Shell) templ.Component { return views.PlaygroundPage(playgroundModel(s)) }

func playgroundImage(s views.Shell) templ.Component {
	m := playgroundModel(s)
	m.Kind, m.Text, m.Preview, m.Examples = "image", "", nil, nil
	m.Model.Name, m.Model.Task, m.Model.Labels = "digits-resnet", "image-classification", strings.Fields("0 1 2 3 4 5 6 7 8 9")
	m.Pictures = []views.ExamplePicture{{Index: 0, Name: "digit-8-1", URL: "/sample/digit.png", Selected: true}, {Index: 1, Name: "digit-8-2", URL: "/sample/digit.png"}}
	m.Error, m.Hint = "the picture is 20,000 × 20,000 pixels, the limit is 4,096 × 4,096", "send a smaller picture"
	return views.PlaygroundPage(m)
}

func methods() []views.Method {
	one, most := 1.0, 300.0
	return []views.Method{
		{ID: "integrated-gradients", Gradients: 33, Seconds: 0.31, Suitable: true, Allowed: true, Selected: true, Params: []views.Param{
			{Name: "profile", Type: "enum", Value: "adaptive", Enum: []string{"adaptive", "captum"}, Help: "explain.param.profile"},
			{Name: "steps", Type: "int", Value: "50", Min: &one, Max: &most, Help: "explain.param.steps"}}},
		{ID: "occlusion", Forwards: 22, Seconds: 0.09, Suitable: true, Allowed: true},
		{ID: "attention", Forwards: 1, Seconds: 0.006, Suitable: true, Denial: policy.ReasonMethodForbidden},
		{ID: "grad-cam", Forwards: 1, Gradients: 1, Why: "the model has no feature maps"},
	}
}

func prediction(s views.Shell) views.Prediction {
	return views.Prediction{
		Shell: as(s, "analyst", "predictions"), ID: "01KAV7Q2M8XW3E000000000001", Made: noon, Actor: "lin.wei", Seconds: 0.19,
		Model: views.ModelRef{Name: "sentiment-minilm", Version: "1.0.0", Digest: digestA}, Task: "text-classification", Purpose: "quality-review", DataClass: "internal",
		Input:    views.Input{Text: "The plot is thin, but the acting is wonderful and the music moved me. [EMAIL_1]", Masked: []string{"email"}, Kept: true},
		Classes:  []chart.Class{{Label: "positive", Score: 0.736, Logit: 1.09, Predicted: true}, {Label: "neutral", Score: 0.141, Logit: -0.56}, {Label: "negative", Score: 0.123, Logit: -0.69}},
		Decision: allowed(), Log: views.LogPlace{Index: 12409, Size: 12431, Verified: true}, Methods: methods(), Targets: []string{"positive", "neutral", "negative"},
		CLI: "vitrine explain -m sentiment-minilm@1.0.0 --text '…' --method integrated-gradients --json",
	}
}

func explained(s views.Shell) views.Prediction {
	m := prediction(s)
	t := tokens(true)
	m.Tabs = []ui.Option{{Text: "integrated-gradients", URL: "?e=1", Current: true}, {Text: "attention", URL: "?e=2"}}
	m.Why = &views.Explanation{
		ID: "01KAV7Q2M8XW3E000000000009", Made: noon, Method: "integrated-gradients", Version: "1", Target: "positive", Quantity: "logit", Predicted: true, Level: "full",
		Params: []views.NameValue{{Name: "profile", Value: "adaptive"}, {Name: "baseline", Value: "pad"}}, Signed: true, Complete: true,
		Output: 1.0518, Baseline: 0.3710, Gradients: 33, Seconds: 0.3, Tokens: t, Waterfall: waterfall(t),
		Groups:     []ui.Option{{Text: "token", URL: "?group=token", Current: true}, {Text: "word", URL: "?group=word"}},
		Palettes:   []ui.Option{{Text: "orange", URL: "?palette=", Current: true}, {Text: "purple", URL: "?palette=purple-green"}},
		Supporting: []string{"wonderful", "but"}, Opposing: []string{"thin"}, Figures: figures(), RecordHash: digestB, Log: views.LogPlace{Index: 12410, Size: 12431, Verified: true},
	}
	return m
}

func predictionText(s views.Shell) templ.Component { return views.PredictionPage(explained(s)) }

func predictionAttention(s views.Shell) templ.Component {
	m := explained(s)
	m.Why.Method, m.Why.Attention, m.Why.Layer, m.Why.Head = "attention", attention(4, 12), 2, 3
	m.Why.HeadURL = func(l, h int) string {
		return ui.Set("/prediction-attention", "layer", ui.Count(l), "head", ui.Count(h)) + "#head"
	}
	m.Why.Waterfall, m.Why.Warnings = nil, []string{"attention-only"}
	beside := tokens(false)
	beside.Name = "c"
	m.Why.Companion, m.Why.Complete = &beside, false
	return views.PredictionPage(m)
}

func predictionUnsigned(s views.Shell) templ.Component {
	m := explained(s)
	m.Why.Method, m.Why.Signed, m.Why.Tokens, m.Why.Waterfall, m.Why.Opposing = "saliency", false, tokens(false), nil, nil
	return views.PredictionPage(m)
}

func predictionImage(s views.Shell) templ.Component {
	m := explained(s)
	m.Model.Name, m.Task = "digits-resnet", "image-classification"
	m.Input = views.Input{Image: "/sample/digit.png", W: 28, H: 28, Kept: true}
	m.Classes = []chart.Class{{Label: "8", Score: 0.597, Logit: 3.887, Predicted: true}, {Label: "5", Score: 0.348, Logit: 3.35}, {Label: "3", Score: 0.055, Logit: 1.2}}
	m.Why.Method, m.Why.Target, m.Why.Tokens, m.Why.Waterfall = "grad-cam", "8", chart.Tokens{}, nil
	m.Why.Supporting, m.Why.Opposing = nil, nil
	m.Why.Picture = &views.PictureView{Src: "/sample/digit.png", W: 28, H: 28, Heat: heat(), Layer: "encoder.stages.1", View: "side", Opacity: 60,
		Views: []ui.Option{{Text: "side", URL: "?", Current: true}}, Opacities: []ui.Option{{Text: "60 %", URL: "?", Current: true}}}
	return views.PredictionPage(m)
}
