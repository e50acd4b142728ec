// The official Node clients, unchanged; see clients.py.
import OpenAI from "openai";
import { InferenceClient } from "@huggingface/inference";

const { VITRINE_URL: url, VITRINE_KEY: key, VITRINE_STORY: story } = process.env;
const messages = [{ role: "user", content: "Say it." }];
const check = (what, ok, got) => {
  if (!ok) {
    console.error(what, JSON.stringify(got));
    process.exit(1);
  }
};

const c = new OpenAI({ baseURL: url + "/v1", apiKey: key });
const ids = [];
for await (const m of c.models.list()) ids.push(m.id);
check("models", ids.includes("chain"), ids);
const r = await c.chat.completions.create({ model: "chain", messages, temperature: 0 });
check("chat", r.choices[0].message.content === story && r.vitrine.prediction, r);
let text = "";
for await (const chunk of await c.chat.completions.create({ model: "chain", messages, temperature: 0, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
check("stream", text === story, text);
const done = await c.completions.create({ model: "chain", prompt: "Go:", max_tokens: 40, temperature: 0 });
check("completions", done.choices[0].text === story, done);
try {
  await c.chat.completions.create({ model: "nobody", messages });
  check("refusal", false);
} catch (e) {
  check("refusal", e.status === 404 && e.code === "model_not_found", e);
}
console.log("openai ok");

const hf = new InferenceClient(key, { endpointUrl: url + "/hf/models/chain" });
const answer = await hf.chatCompletion({ messages, temperature: 0, max_tokens: 60 });
check("chatCompletion", answer.choices[0].message.content === story, answer);
const written = await hf.textGeneration({ inputs: "Go:", parameters: { max_new_tokens: 40 } });
check("textGeneration", written.generated_text === story, written);
console.log("huggingface ok");
