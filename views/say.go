package views

import (
	"context"
	"io"

	"vitrine/audit/report"
	"vitrine/views/i18n"
	"vitrine/views/pdf"
)

// Say is a report's text in the language of ctx.
func Say(ctx context.Context, t report.Text) string {
	if t.Key == "" || t.Raw != "" && !i18n.Has(t.Key) {
		return t.Raw
	}
	args := make([]any, 0, 2*len(t.Args))
	for _, a := range t.Args {
		args = append(args, a.Name)
		switch {
		case a.Number != nil:
			args = append(args, *a.Number)
		case a.Text != nil:
			args = append(args, Say(ctx, *a.Text))
		default:
			args = append(args, "")
		}
	}
	return i18n.T(ctx, t.Key, args...)
}

// WritePDF draws a report as a PDF in a language.
func WritePDF(w io.Writer, d *report.Document, lang string) ([]pdf.Page, error) {
	ctx := i18n.With(context.Background(), lang)
	return pdf.Write(w, d, pdf.Words{
		Record: i18n.T(ctx, "reports.record"),
		Number: func(n, of int) string { return i18n.T(ctx, "reports.page", "n", n, "of", of) },
		Say:    func(t report.Text) string { return Say(ctx, t) },
	})
}

// WriteDocument writes a report as one page that needs no server and no network.
func WriteDocument(w io.Writer, d *report.Document, lang string) error {
	return documentPage(d, lang).Render(i18n.With(context.Background(), lang), w)
}

// PrintReport is the report of an evidence pack as a PDF. It satisfies report.Renderer.
func PrintReport(w io.Writer, r *report.Report) error {
	_, err := WritePDF(w, r.Document(), r.Lang)
	return err
}
