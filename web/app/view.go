package app

import (
	"encoding/json"
	"time"

	"vitrine/explain"
	"vitrine/inference"
	"vitrine/policy"
	"vitrine/policy/privacy"
)

// ModelRef names a model version.
type ModelRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// ModelView is one registered model version.
type ModelView struct {
	ModelRef
	Task         string                 `json:"task"`
	Family       string                 `json:"family"`
	Architecture string                 `json:"architecture"`
	Modality     string                 `json:"modality"`
	Labels       []string               `json:"labels,omitempty"`
	Parameters   int64                  `json:"parameters"`
	DType        string                 `json:"dtype"`
	Layers       int                    `json:"layers"`
	Heads        int                    `json:"heads"`
	MaxTokens    int                    `json:"max_tokens,omitempty"`
	ImageSize    [3]int                 `json:"image_size,omitzero"` // channels, height, width
	Source       string                 `json:"source"`              // embedded or folder
	Added        time.Time              `json:"added"`
	AddedBy      string                 `json:"added_by"`
	Files        []inference.FileDigest `json:"files,omitempty"`
	Card         string                 `json:"card,omitempty"` // Markdown
	Methods      []MethodView           `json:"methods,omitempty"`
	Predictions  int64                  `json:"predictions"`
	Examples     ExamplesView           `json:"-"`
	// Stopped says that a person stopped the model, all its versions.
	Stopped bool `json:"stopped,omitempty"`
	// Problem says why a registered model cannot be run now; "" = it can.
	Problem string `json:"problem,omitempty"`
}

// ExamplesView are inputs that come with a model, for the playground.
type ExamplesView struct {
	Texts  []string
	Images []ExampleImage
}

// ExampleImage is one encoded picture.
type ExampleImage struct {
	Name string
	Data []byte
}

// ParamView is one parameter of an explanation method.
type ParamView struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // int, float, string, bool, enum
	Default any      `json:"default"`
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	Enum    []string `json:"enum,omitempty"`
	Help    string   `json:"help"` // catalogue key
}

// MethodView is one explanation method as it stands for a model and, where a caller
// asked, for that caller.
type MethodView struct {
	ID         string        `json:"id"`
	Version    string        `json:"version"`
	Family     string        `json:"family"`
	Modalities []string      `json:"modalities"`
	Params     []ParamView   `json:"params"`
	Signed     bool          `json:"signed"`
	Forwards   int           `json:"forwards"`
	Gradients  int           `json:"gradients"`
	Seconds    float64       `json:"seconds"` // honest estimate; 0 = not known yet
	Suitable   bool          `json:"suitable"`
	Why        string        `json:"why,omitempty"` // why it does not suit the model
	Allowed    bool          `json:"allowed"`
	Denial     string        `json:"denial,omitempty"`   // closed reason code
	Decision   *DecisionView `json:"decision,omitempty"` // of a denial
}

// InputView is the stored input: what the model saw, after masking.
type InputView struct {
	Modality string  `json:"modality"`
	Text     string  `json:"text,omitempty"`
	Pair     *string `json:"pair,omitempty"`
	// Messages is a conversation that the model answered, Text how its template writes it.
	// Prefix stood before every part of Text that an encoder read.
	Messages []inference.Message `json:"messages,omitempty"`
	Prefix   string              `json:"prefix,omitempty"`
	Masked   []privacy.Finding   `json:"masked,omitempty"` // what was replaced; positions count characters of the text as it came
	Kept     bool                `json:"kept"`             // false: the input was not kept, replay is not possible
	Width    int                 `json:"width,omitempty"`
	Height   int                 `json:"height,omitempty"`
	Bytes    int                 `json:"bytes"`
}

// OutputView is the answer, by task.
type OutputView struct {
	Labels   []inference.LabelScore `json:"labels,omitempty"`
	Entities []inference.Entity     `json:"entities,omitempty"`
	Vector   []float32              `json:"vector,omitempty"`
	Answer   *inference.Entity      `json:"answer,omitempty"`
	// Of a text that was written: the answers, how their tokens were chosen, and the prompt's
	// tokens with their log-probabilities where these were asked for.
	Generated []GeneratedText  `json:"generated,omitempty"`
	Sampling  *SamplingView    `json:"sampling,omitempty"`
	Prompt    []GeneratedToken `json:"prompt,omitempty"`
}

// DecisionView is the policy's answer as everyone may see it.
type DecisionView struct {
	Effect        string             `json:"effect"`
	Reason        string             `json:"reason"`
	Rule          *policy.Rule       `json:"rule,omitempty"`
	RuleIDs       []string           `json:"rule_ids"`
	RolePath      []string           `json:"role_path,omitempty"`
	Nearest       *policy.Rule       `json:"nearest,omitempty"`
	Lacked        []string           `json:"lacked,omitempty"`
	PolicyVersion int64              `json:"policy_version"`
	PolicyHash    string             `json:"policy_hash"`
	Obligations   policy.Obligations `json:"obligations"`
	Action        string             `json:"action"`
	Object        string             `json:"object"`
	Purpose       string             `json:"purpose"`
}

// ReceiptView is the log's promise, or the proof once the entry is in.
type ReceiptView struct {
	Event      string    `json:"event"`
	LeafHash   string    `json:"leaf_hash"`
	Log        string    `json:"log"`
	Time       time.Time `json:"time"`
	Status     string    `json:"status"` // pending or included
	URL        string    `json:"url"`
	Signature  string    `json:"signature,omitempty"`
	Index      *int64    `json:"index,omitempty"`
	Proof      string    `json:"proof,omitempty"` // c2sp.org/tlog-proof@v1
	Checkpoint string    `json:"checkpoint,omitempty"`
	// Root shows that Checkpoint is in the root log; while it is not yet, Checkpoint is
	// the newest one and Root is absent.
	Root *RootView `json:"root,omitempty"`
}

// RootView is an entry of the root log, which names a checkpoint by the SHA-256 of its
// text, with its proof.
type RootView struct {
	Entry json.RawMessage `json:"entry"`
	Proof string          `json:"proof"` // c2sp.org/tlog-proof@v1, cosigned where witnesses are asked
	Key   string          `json:"key"`   // the root log's public key
}

// PredictionView is one prediction.
type PredictionView struct {
	ID           string                 `json:"id"`
	Time         time.Time              `json:"time"`
	Model        ModelRef               `json:"model"`
	Task         string                 `json:"task"`
	Input        InputView              `json:"input"`
	Output       OutputView             `json:"output"`
	Tokens       []inference.Token      `json:"tokens"`
	Windows      []inference.WindowNote `json:"windows,omitempty"`
	Unknown      float64                `json:"unknown"`
	Warnings     []string               `json:"warnings,omitempty"` // closed codes
	Purpose      string                 `json:"purpose"`
	DataClass    string                 `json:"data_class"`
	Actor        string                 `json:"actor"`
	Decision     DecisionView           `json:"decision"`
	Receipt      ReceiptView            `json:"receipt"`
	Seconds      float64                `json:"seconds"`
	Explanation  *ExplanationView       `json:"explanation,omitempty"`
	Explanations []ExplanationBrief     `json:"explanations,omitempty"`
	// ExplanationsWithheld counts the explanations that the reader's rule keeps back.
	ExplanationsWithheld int `json:"explanations_withheld,omitempty"`
	// Reviews are what people were asked about this prediction, and what they said.
	Reviews []ReviewView `json:"reviews,omitempty"`
}

// PredictionBrief is one row of a list of predictions.
type PredictionBrief struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Model   ModelRef  `json:"model"`
	Task    string    `json:"task"`
	Label   string    `json:"label"`
	Score   float64   `json:"score"`
	Excerpt string    `json:"excerpt"` // first characters of the stored (masked) text
	Purpose string    `json:"purpose"`
	Actor   string    `json:"actor"`
	Masked  int       `json:"masked"`
	// Withheld: the list may be read, this row may not, by its purpose or data class.
	Withheld bool     `json:"withheld,omitempty"`
	Methods  []string `json:"methods,omitempty"`
}

// PredictionList is one part of the predictions. Next is "" at the end.
type PredictionList struct {
	Items []PredictionBrief `json:"items"`
	Next  string            `json:"next,omitempty"`
	Total int64             `json:"total"` // of the whole filtered list
}

// ExplanationBrief is one row of a prediction's explanations.
type ExplanationBrief struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	Target string    `json:"target"`
	// Word is the number of the explained token of a text that was written, -1 for all
	// together; nil for anything else. Answer is the text's number.
	Word   *int    `json:"word,omitempty"`
	Answer int     `json:"answer,omitempty"`
	Delta  float64 `json:"delta"`
	// Gate is what the policy's gate did: warn, fall-back, review, withhold; "" = nothing.
	Gate string `json:"gate,omitempty"`
}

// ExplanationTarget is what was explained.
type ExplanationTarget struct {
	Label    string `json:"label"`
	Index    int    `json:"index"`
	Quantity string `json:"quantity"`
	Token    *int   `json:"token,omitempty"` // token classification: the position
	Minus    *int   `json:"minus,omitempty"` // quantity diff: the class whose logit is subtracted
	// Words, of a text that was written, is how many tokens it has; Index is then the number of
	// the explained one, -1 for all together.
	Words int `json:"words,omitempty"`
}

// MetricView is one faithfulness figure with its random control.
type MetricView struct {
	ID      string   `json:"id"`
	Value   float64  `json:"value"`
	Control float64  `json:"control"`
	Low     float64  `json:"low"`
	High    float64  `json:"high"`
	P       *float64 `json:"p,omitempty"`
	Higher  bool     `json:"higher"`         // higher is better
	Mode    string   `json:"mode,omitempty"` // how parts were removed: mask, pad, delete, baseline
	Draws   int      `json:"draws"`          // random attributions compared with
	// Steps is the figure at each of Fractions removed; empty where a figure has none.
	Fractions []float64 `json:"fractions,omitempty"`
	Steps     []float64 `json:"steps,omitempty"`
}

// CompanionView is the gradient-weighted view that stands beside raw attention.
type CompanionView struct {
	Method       string    `json:"method"`
	Attributions []float64 `json:"attributions"`
}

// WordView is a word with the sum of its pieces' attributions.
type WordView struct {
	Text        string  `json:"text"`
	Start       int     `json:"start"`
	End         int     `json:"end"`
	Attribution float64 `json:"attribution"`
}

// ExplanationView is one explanation, reduced to what the decision lets out.
type ExplanationView struct {
	ID             string            `json:"id"`
	Prediction     string            `json:"prediction"`
	Time           time.Time         `json:"time"`
	Method         string            `json:"method"`
	Version        string            `json:"version"`
	Params         map[string]any    `json:"params"`
	Target         ExplanationTarget `json:"target"`
	Output         float64           `json:"output"`
	BaselineOutput float64           `json:"baseline_output"`
	Delta          float64           `json:"delta"`
	Gradients      int               `json:"gradients"`
	Tokens         []inference.Token `json:"tokens,omitempty"`
	// Attributions: one float a token for texts, nested rows for images.
	Attributions json.RawMessage `json:"attributions"`
	// Token and Map are the same values for pages.
	Token     []float64         `json:"-"`
	Map       *inference.Tensor `json:"-"` // (H,W)
	Words     []WordView        `json:"words,omitempty"`
	Attention *inference.Tensor `json:"-"` // (L,H,T,T), method attention only; nil where it was too large to keep
	Companion *CompanionView    `json:"companion,omitempty"`
	Layer     string            `json:"layer,omitempty"` // grad-cam: the differentiated layer
	// Grid has a row of values for each layer, or of a text that was written for each of its
	// tokens.
	Grid *explain.Grid `json:"grid,omitempty"`
	// Answer is the number of the text that was explained, of several written at once.
	Answer  int          `json:"answer,omitempty"`
	Metrics []MetricView `json:"metrics"`
	// Level says how much the decision let out: signs, rounded or full. Withheld names
	// the members that it kept back.
	Level    string                 `json:"level"`
	Withheld []string               `json:"withheld,omitempty"`
	Windows  []inference.WindowNote `json:"windows,omitempty"`
	Warnings []string               `json:"warnings,omitempty"`
	// Gate is what the policy's gate said; absent where the policy has none.
	Gate *GateView `json:"gate,omitempty"`
	// Cached: it was made before, for the same request.
	Cached     bool            `json:"cached,omitempty"`
	Record     json.RawMessage `json:"record,omitempty"`
	RecordHash string          `json:"record_hash"`
	Decision   DecisionView    `json:"decision"`
	Receipt    ReceiptView     `json:"receipt"`
	Seconds    float64         `json:"seconds"`
	Signed     bool            `json:"signed"`
}

// PreviewView is what a prediction would see and what it would cost.
type PreviewView struct {
	Model    ModelRef          `json:"model"`
	Text     string            `json:"text,omitempty"` // masked
	Pair     *string           `json:"pair,omitempty"`
	Findings []privacy.Finding `json:"findings"`
	Tokens   []inference.Token `json:"tokens,omitempty"`
	Windows  int               `json:"windows"`
	Unknown  float64           `json:"unknown"`
	Warnings []string          `json:"warnings,omitempty"`
	Decision DecisionView      `json:"decision"`
	Methods  []MethodView      `json:"methods"`
}
