package app

import (
	"context"
	"errors"
	"fmt"

	"vitrine/audit"
	"vitrine/inference/pretrained"
	"vitrine/policy"
	"vitrine/policy/identity"
	"vitrine/web/store"
)

// demoRoles are the roles that the demo makes an account for, in the order in which
// they are printed.
var demoRoles = []string{policy.Analyst, policy.ModelOwner, policy.Reviewer, policy.Auditor, policy.Admin}

// SeedDemo fills a throw-away folder: one account a role without a password, real
// predictions and explanations on the shipped models, and requests that the policy
// refuses. It returns one sign-in token a role; they work while the process lives.
func (a *App) SeedDemo(ctx context.Context) ([]DemoAccount, error) {
	own, err := a.ownKey(ctx, "system:demo")
	if err != nil {
		return nil, err
	}
	var accounts []DemoAccount
	callers := map[string]identity.Caller{}
	for _, role := range demoRoles {
		var u identity.User
		err := a.db.Write(ctx, func(ctx context.Context) (err error) {
			u, err = a.people.AddUser(ctx, a.workspace, "Demo "+role, "", []string{role})
			if err != nil {
				return err
			}
			return a.logUserAdded(ctx, audit.Event{Actor: "system"}, own, u, "demo")
		})
		if errors.Is(err, identity.ErrExists) { // a kept folder, started again
			u, err = a.people.UserByName(ctx, a.workspace, "Demo "+role)
		}
		if err != nil {
			return nil, fmt.Errorf("app: making the demo account %s: %w", role, err)
		}
		accounts = append(accounts, DemoAccount{Role: role, Token: a.people.DemoLink(u.ID)})
		callers[role] = identity.Caller{ID: u.ID, Name: u.Name, Roles: u.Roles, Workspace: a.workspace, Auth: identity.AuthDemoLink}
	}
	if n, _, err := a.store.CountPredictions(ctx, a.workspace, store.PredictionFilter{}); err != nil || n > 0 {
		return accounts, err
	}
	if err := a.seed(ctx, callers); err != nil {
		return nil, fmt.Errorf("app: seeding the demo: %w", err)
	}
	return accounts, a.log.Flush(ctx)
}

// seedText is one question of the demo. Purpose "" = unspecified, method "" = none.
type seedText struct{ role, text, purpose, method string }

var seedTexts = []seedText{
	{policy.Analyst, "The plot is thin, but the actors are wonderful and I left the cinema smiling.", "quality-review", "integrated-gradients"},
	{policy.Analyst, "My order 1841 came broken twice. Write to maria.keller@example.com or call +49 30 901820 before Friday.", "customer-support", "saliency"},
	{policy.ModelOwner, "I did not like the first hour.", "model-validation", "occlusion"},
	{policy.Analyst, "The parcel was delivered on Tuesday.", "quality-review", ""},
	{policy.ModelOwner, "Not bad at all, considering the price.", "model-validation", "chefer"},
	{policy.Analyst, "Refund the card 4111 1111 1111 1111, I am done with this shop.", "customer-support", ""},
}

// seed asks what people of these roles would ask. Refusals are part of it: they are
// expected, and an answer in place of one is an error.
func (a *App) seed(ctx context.Context, callers map[string]identity.Caller) error {
	const textModel, imageModel = "sentiment-minilm", "digits-resnet"
	for _, s := range seedTexts {
		r := PredictRequest{Model: textModel, Text: &s.text, Purpose: s.purpose}
		if s.method != "" {
			r.Explain = &ExplainRequest{Method: s.method}
		}
		if _, err := a.Predict(ctx, callers[s.role], r); err != nil {
			return err
		}
	}
	list, err := pretrained.Examples(imageModel)
	if err != nil {
		return err
	}
	for i, e := range list[:min(2, len(list))] {
		method := []string{"grad-cam", "integrated-gradients"}[i]
		_, err := a.Predict(ctx, callers[policy.Analyst], PredictRequest{Model: imageModel, Image: e.Image, Purpose: "quality-review", Explain: &ExplainRequest{Method: method}})
		if err != nil {
			return err
		}
	}
	loan := "I need a loan of 4,000 euros for a car, and I have paid back two before."
	reply := "Thank you, the new part works perfectly."
	refused := []func() error{
		func() error {
			_, err := a.Predict(ctx, callers[policy.Analyst], PredictRequest{Model: textModel, Text: &loan, Purpose: "credit-scoring"})
			return err
		},
		func() error {
			_, err := a.Predict(ctx, callers[policy.Analyst], PredictRequest{Model: textModel, Text: &reply, Purpose: "customer-support", Explain: &ExplainRequest{Method: "attention"}})
			return err
		},
		func() error {
			_, err := a.StartExport(ctx, callers[policy.Analyst], ExportRequest{Format: "csv"})
			return err
		},
	}
	for _, ask := range refused {
		var denied *Denied
		switch err := ask(); {
		case err == nil:
			return errors.New("a request that the shipped policy refuses was answered")
		case !errors.As(err, &denied):
			return err
		}
	}
	return nil
}
