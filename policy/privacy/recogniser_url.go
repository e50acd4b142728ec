package privacy

// Web addresses with a scheme: they often carry names, tokens and ids.
func init() {
	register(Recogniser{
		ID: "url", Label: "URL", window: aroundScheme, attached: true,
		patterns: []pattern{spelled(0.6, `(?i:https?|ftp)://[^\s<>"'，。；、）\]]*[^\s<>"'，。；、）\].,;:!?)]`)},
		Positive: []string{"see https://example.com/u/anna?id=7.", "(http://example.org)", "网址https://example.cn/a，谢谢", "HTTPS://EXAMPLE.COM"},
		Negative: []string{"http: nothing", "a://b", "https://", "www is short for world wide web"},
	})
}
