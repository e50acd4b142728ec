package app

import (
	"encoding/json"
	"time"

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
	Modality string            `json:"modality"`
	Text     string            `json:"text,omitempty"`
	Pair     *string           `json:"pair,omitempty"`
	Masked   []privacy.Finding `json:"masked,omitempty"` // what was replaced; positions count characters of the text as it came
	Kept     bool              `json:"kept"`             // false: the input was not kept, replay is not possible
	Width    int               `json:"width,omitempty"`
	Height   int               `json:"height,omitempty"`
	Bytes    int               `json:"bytes"`
}

// OutputView is the answer, by task.
type OutputView struct {
	Labels   []inference.LabelScore `json:"labels,omitempty"`
	Entities []inference.Entity     `json:"entities,omitempty"`
	Vector   []float32              `json:"vector,omitempty"`
	Answer   *inference.Entity      `json:"answer,omitempty"`
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
	Methods []string  `json:"methods,omitempty"`
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
	Delta  float64   `json:"delta"`
}

// ExplanationTarget is what was explained.
type ExplanationTarget struct {
	Label    string `json:"label"`
	Index    int    `json:"index"`
	Quantity string `json:"quantity"`
	Token    *int   `json:"token,omitempty"` // token classification: the position
	Minus    *int   `json:"minus,omitempty"` // quantity diff: the class whose logit is subtracted
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
	Metrics   []MetricView      `json:"metrics"`
	// Level says how much the decision let out: signs, rounded or full. Withheld names
	// the members that it kept back.
	Level      string                 `json:"level"`
	Withheld   []string               `json:"withheld,omitempty"`
	Windows    []inference.WindowNote `json:"windows,omitempty"`
	Warnings   []string               `json:"warnings,omitempty"`
	Record     json.RawMessage        `json:"record,omitempty"`
	RecordHash string                 `json:"record_hash"`
	Decision   DecisionView           `json:"decision"`
	Receipt    ReceiptView            `json:"receipt"`
	Seconds    float64                `json:"seconds"`
	Signed     bool                   `json:"signed"`
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

// EventView is one entry of the audit log.
type EventView struct {
	Index    int64           `json:"index"`
	ID       string          `json:"id"`
	Code     string          `json:"code"`
	Time     time.Time       `json:"time"`
	Actor    string          `json:"actor"`
	Action   string          `json:"action"`
	Object   string          `json:"object"`
	Model    ModelRef        `json:"model,omitzero"`
	Purpose  string          `json:"purpose,omitempty"`
	Effect   string          `json:"effect,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	RuleIDs  []string        `json:"rule_ids,omitempty"`
	Policy   int64           `json:"policy_version,omitempty"`
	LeafHash string          `json:"leaf_hash"`
	Leaf     json.RawMessage `json:"leaf"` // canonical bytes
}

// CountView is how often a value occurs in a filtered list.
type CountView struct {
	Value string `json:"value"`
	N     int64  `json:"n"`
}

// EventList is one part of the log, newest first.
type EventList struct {
	Items []EventView `json:"items"`
	Next  string      `json:"next,omitempty"`
	Total int64       `json:"total"` // of the whole filtered list
	Size  int64       `json:"size"`  // entries in the log
	// Facets of the whole filtered list; actors and models at most 20.
	Kinds     []CountView `json:"kinds"`
	Decisions []CountView `json:"decisions"`
	Actors    []CountView `json:"actors"`
	Models    []CountView `json:"models"`
}

// ProofStep is one hash of an inclusion proof: the sibling at Level, to the left or
// right, and the parent it gives.
type ProofStep struct {
	Level   int    `json:"level"`
	Left    bool   `json:"left"` // the sibling stands left
	Sibling string `json:"sibling"`
	Parent  string `json:"parent"`
}

// EventDetail is one entry with its proof.
type EventDetail struct {
	EventView
	Previous   *int64      `json:"previous,omitempty"`
	Next       *int64      `json:"next,omitempty"`
	Steps      []ProofStep `json:"steps"`
	Root       string      `json:"root"`     // the checkpoint's
	Computed   string      `json:"computed"` // recomputed from leaf and proof
	Included   bool        `json:"included"`
	TreeSize   int64       `json:"tree_size"`
	Checkpoint string      `json:"checkpoint"`
	Proof      string      `json:"proof"` // c2sp.org/tlog-proof@v1
}

// HealthView is the outcome of checking the whole log.
type HealthView struct {
	OK       bool      `json:"ok"`
	Size     int64     `json:"size"`
	Pending  int64     `json:"pending"`
	Root     string    `json:"root"`
	Signed   time.Time `json:"signed"`  // time of the last checkpoint
	Checked  time.Time `json:"checked"` // time of this check
	FirstBad *int64    `json:"first_bad,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	Key      string    `json:"key"` // fingerprint of the log key
	Origin   string    `json:"origin"`
	Anchor   string    `json:"anchor"` // last external anchor; "" = none
}

// ExportView is one export, finished or under way.
type ExportView struct {
	ID       string     `json:"id"`
	Format   string     `json:"format"`
	Status   string     `json:"status"` // queued, running, done, failed, cancelled
	Done     int64      `json:"done"`
	Total    int64      `json:"total"`
	Bytes    int64      `json:"bytes"`
	SHA256   string     `json:"sha256,omitempty"`
	FileName string     `json:"file_name"`
	Created  time.Time  `json:"created"`
	Finished *time.Time `json:"finished,omitempty"`
	Actor    string     `json:"actor"`
	Error    string     `json:"error,omitempty"`
	Job      bool       `json:"job"` // runs in the background
	From     int64      `json:"from"`
	To       int64      `json:"to"`
}

// CellView is one cell of the policy matrix.
type CellView struct {
	Role      string        `json:"role"`
	Action    string        `json:"action"`
	State     string        `json:"state"`  // none, allow, conditional, deny, inherited
	Effect    string        `json:"effect"` // of the cell's first rule: allow, deny; none without one
	Inherited bool          `json:"inherited,omitempty"`
	Rule      *policy.Rule  `json:"rule,omitempty"` // the first of Rules
	Rules     []policy.Rule `json:"rules,omitempty"`
}

// PolicyView is the policy in force.
type PolicyView struct {
	Version  int64           `json:"version"`
	Hash     string          `json:"hash"`
	Author   string          `json:"author"`
	Reason   string          `json:"reason"`
	Time     time.Time       `json:"time"`
	Roles    []string        `json:"roles"`
	Actions  []string        `json:"actions"`
	Cells    []CellView      `json:"cells"`
	Rules    []policy.Rule   `json:"rules"`
	Warnings []string        `json:"warnings,omitempty"`
	Versions []PolicyVersion `json:"versions"`
	Purposes []string        `json:"purposes"`
}

// PolicyVersion is one row of the policy's history, newest first.
type PolicyVersion struct {
	Version int64     `json:"version"`
	Hash    string    `json:"hash"`
	Author  string    `json:"author"`
	Reason  string    `json:"reason"`
	Time    time.Time `json:"time"`
	Active  bool      `json:"active"`
}

// UserView is one account.
type UserView struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Roles    []string  `json:"roles"`
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
}

// KeyView is one API key, without its secret.
type KeyView struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Prefix   string     `json:"prefix"`
	Roles    []string   `json:"roles"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUse  *time.Time `json:"last_use,omitempty"`
	Disabled bool       `json:"disabled"`
	Created  time.Time  `json:"created"`
}

// NewKey is a key just made; Key is shown once and kept nowhere.
type NewKey struct {
	Key    string `json:"key"`
	Prefix string `json:"prefix"`
	KeyView
}

// DashboardView holds true numbers: each equals the total of the list it links to.
type DashboardView struct {
	Health       HealthView        `json:"health"`
	Predictions  int64             `json:"predictions"`
	Explanations int64             `json:"explanations"`
	Denials      int64             `json:"denials"`
	Redactions   int64             `json:"redactions"`
	Models       int64             `json:"models"`
	Since        time.Time         `json:"since"`
	Recent       []PredictionBrief `json:"recent"`
	Policy       PolicyVersion     `json:"policy"`
	FailedJobs   int64             `json:"failed_jobs"`
	ExpiringKeys int64             `json:"expiring_keys"`
	Failures     int64             `json:"failures"` // predictions and explanations that were allowed and failed
	// Hidden names the members that the caller may not see: they are empty.
	Hidden []string `json:"hidden"`
}

// DemoAccount is one throw-away account of the demo.
type DemoAccount struct {
	Role  string
	Token string // of the sign-in link
}
