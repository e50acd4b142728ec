package report

import (
	"fmt"
	"strings"
)

// verifyText is VERIFY.md: how to check the pack, for whoever is handed it.
func verifyText(m Manifest, r *Report) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# How to check this evidence pack

Entries %d to %d (%d) of the log %s, whose signed tree has %d entries.
Key fingerprint: %s

1. Get `+"`vitrine`"+` from a source you trust, and the log's public key from its owner by another way than this file.
2. Run

       vitrine verify PACK.zip --key log.pub

   No server, database or network is used. Exit code 0: nothing was altered. 1: something was, and it is named. 2: it cannot be decided, and what is missing is named.
   --trust FILE asks for the witnesses of a trust policy (c2sp.org/tlog-policy); --previous FILE for an earlier pack that this one must continue.
   Without --key the key in keys/log.pub is taken; then the pack proves that it is whole, not who made it.

What is checked: the manifest's signature; the hash of every file; the checkpoint's signature; every entry against the signed tree (RFC 6962, SHA-256) by the tiles under tile/; no gap and no change of order; that the tree continues previous-checkpoint and every checkpoint in checkpoints.jsonl; that events.csv and events.ocsf.jsonl say what events.jsonl says; that the checkpoint is an entry of the root log (root/) and who cosigned that log; every decision again, by the policies under policies/.

Formats: c2sp.org/tlog-checkpoint, c2sp.org/tlog-tiles, c2sp.org/tlog-proof@v1 (proofs/, one file an entry in packs of up to %d), RFC 8785 for entries.
Entries hold keyed commitments (HMAC-SHA-256) in place of inputs, outputs and names. They can be opened only by whoever holds the record's key; once a person's key is destroyed, by no one.

# 如何核验本证据包

日志 %s 的第 %d 至 %d 条记录（共 %d 条），已签名的树共有 %d 条记录。
密钥指纹：%s

1. 从可信来源获取 `+"`vitrine`"+`，并通过本文件以外的途径向日志所有者索取公钥。
2. 运行

       vitrine verify PACK.zip --key log.pub

   不需要服务器、数据库或网络。退出码 0：内容未被改动；1：有改动，并指出位置；2：无法判定，并说明缺少什么。
   不带 --key 时使用包内 keys/log.pub 的密钥：此时只能证明证据包完整，不能证明由谁制作。
`, m.First, r.Last, m.Events, m.Log, m.Size, r.Fingerprint, maxEntryProofs, m.Log, m.First, r.Last, m.Events, m.Size, r.Fingerprint)
	return []byte(b.String())
}
