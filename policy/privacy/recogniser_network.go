package privacy

import (
	"net/netip"
	"strings"
)

// Network addresses: IPv4, IPv6 and MAC.
func init() {
	register(Recogniser{
		ID: "ip", Label: "IP", window: aroundAddress, glue: ".:",
		patterns: []pattern{
			spelled(0.6, `(?:\d{1,3}\.){3}\d{1,3}`),
			spelled(0.6, `(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}`),
		},
		check: func(m string) bool {
			a, err := netip.ParseAddr(m)
			// A bare "::" is the operator of some language more often than an address.
			return err == nil && (a.Is4() || len(strings.Trim(m, ":")) > 3)
		},
		Positive: []string{"from 192.168.100.200 at noon", "8.8.8.8", "2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a"},
		Negative: []string{"300.1.2.3", "version 1.2.3", "std::vector", "12:30:45", "a::b", "1.2.3.4.5.6"},
	})
	register(Recogniser{
		ID: "mac", Label: "MAC", window: aroundAddress, glue: ":-",
		patterns: []pattern{spelled(0.8, `[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}`), spelled(0.8, `[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){5}`)},
		Positive: []string{"00:1B:44:11:3A:B7", "at 00-1b-44-11-3a-b7"},
		Negative: []string{"00:1B:44:11:3A", "00:1B:44:11:3A:B7:99", "12:30:45"},
	})
}
