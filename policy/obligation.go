package policy

// Explanation levels, from least to most revealing.
const (
	LevelNone    = "none"    // no explanation
	LevelSigns   = "signs"   // the signs of the five strongest tokens
	LevelRounded = "rounded" // values rounded to Obligations.Round decimals
	LevelFull    = "full"
)

// Obligations are what an allowing rule demands of the one who lets the request
// through. The zero value demands nothing.
type Obligations struct {
	// Mask names recognisers of personal data, or the group "pii" for all,
	// whose findings are replaced before storage, inference and display.
	Mask []string `json:"mask,omitempty"`
	// ExplanationLevel is one of the levels above; empty means full.
	ExplanationLevel string `json:"explanation_level,omitempty"`
	// Methods, if not empty, are the only explanation methods allowed.
	Methods []string `json:"methods,omitempty"`
	// ForbidMethods are explanation methods refused.
	ForbidMethods []string `json:"forbid_methods,omitempty"`
	// Round is the number of decimals of every figure that leaves; nil leaves
	// figures alone.
	Round *int `json:"round,omitempty"`
	// ModelSeesClear lets the model see the unmasked input.
	ModelSeesClear bool `json:"model_sees_clear,omitempty"`
}
