"""Official clients of the OpenAI and Hugging Face APIs, unchanged, against a server whose
model "chain" says one known story. Run by TestOfficialClients."""
import json, os, sys

URL, KEY, STORY = os.environ["VITRINE_URL"], os.environ["VITRINE_KEY"], os.environ["VITRINE_STORY"]
ASK = [{"role": "user", "content": "Say it."}]


def check(what, ok, got=None):
    if not ok:
        sys.exit(f"{what}: {got!r}")


def openai_client():
    import openai

    c = openai.OpenAI(base_url=URL + "/v1", api_key=KEY)
    check("models", "chain" in [m.id for m in c.models.list()])
    check("model", c.models.retrieve("chain").id == "chain")
    raw = c.chat.completions.with_raw_response.create(model="chain", messages=ASK, temperature=0, logprobs=True, top_logprobs=3)
    r = raw.parse()
    check("chat", r.choices[0].message.content == STORY and r.choices[0].finish_reason == "stop", r)
    check("logprobs", "".join(t.token for t in r.choices[0].logprobs.content) == STORY, r.choices[0].logprobs)
    check("receipt", r.model_extra["vitrine"]["prediction"] == raw.headers["x-vitrine-prediction"], raw.headers)
    text, last = "", None
    for chunk in c.chat.completions.create(model="chain", messages=ASK, temperature=0, stream=True, stream_options={"include_usage": True}):
        last = chunk
        for choice in chunk.choices:
            text += choice.delta.content or ""
    check("stream", text == STORY, text)
    check("usage", last.usage.total_tokens > 0 and last.model_extra["vitrine"]["receipt"], last)
    r = c.completions.create(model="chain", prompt=["One:", "Two:"], n=2, max_tokens=3, temperature=0, logprobs=2, echo=True)
    check("completions", [x.index for x in r.choices] == [0, 1, 2, 3] and r.choices[0].text.startswith("One: Hello"), r)
    check("echo", r.choices[0].logprobs.token_logprobs[0] is None and len(r.choices[0].logprobs.tokens) == 7, r.choices[0].logprobs)
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    r = c.chat.completions.create(model="chain", messages=ASK, temperature=0, max_tokens=60,
                                  response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}})
    check("schema", list(json.loads(r.choices[0].message.content)) == ["ok"], r)
    r = c.chat.completions.create(model="chain", messages=ASK, temperature=0, max_tokens=3, extra_body={"explain": {"method": "input-x-gradient"}})
    check("explanation", len(r.model_extra["vitrine"]["explanation"]["attributions"]) > 0, r)
    for want, kind, how in (("model_not_found", openai.NotFoundError, {"model": "nobody"}),
                            ("context_length_exceeded", openai.BadRequestError, {"max_tokens": 100000}),
                            ("policy_denied", openai.PermissionDeniedError, {"extra_headers": {"authorization": "Bearer " + os.environ["VITRINE_AUDITOR"]}})):
        try:
            c.chat.completions.create(**{"model": "chain", "messages": ASK} | how)
            sys.exit(f"{want}: nothing was refused")
        except kind as e:
            check(want, e.code == want, e)
    if os.environ.get("VITRINE_EMBEDDER"):
        a = c.embeddings.create(model=os.environ["VITRINE_EMBEDDER"], input=["abc", "bca"])
        b = c.embeddings.create(model=os.environ["VITRINE_EMBEDDER"], input="abc", encoding_format="float", dimensions=4)
        check("embeddings", len(a.data) == 2 and len(b.data[0].embedding) == 4 and a.usage.prompt_tokens > 0, b)


def langchain():
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    c = ChatOpenAI(model="chain", base_url=URL + "/v1", api_key=KEY, temperature=0, max_tokens=60)
    check("langchain", c.invoke("Say it.").content == STORY)
    check("langchain stream", "".join(x.content for x in c.stream("Say it.")) == STORY)
    if os.environ.get("VITRINE_EMBEDDER"):
        e = OpenAIEmbeddings(model=os.environ["VITRINE_EMBEDDER"], base_url=URL + "/v1", api_key=KEY, check_embedding_ctx_length=False)
        check("langchain embeddings", len(e.embed_query("abc")) > 0)


def huggingface():
    from huggingface_hub import InferenceClient

    c = InferenceClient(URL + "/hf/models/chain", token=KEY)
    check("text_generation", c.text_generation("Go:", max_new_tokens=40) == STORY)
    r = c.text_generation("Go:", max_new_tokens=40, details=True, decoder_input_details=True)
    check("details", r.details.finish_reason == "eos_token" and len(r.details.prefill) == 3, r)
    check("stream", "".join(c.text_generation("Go:", max_new_tokens=40, stream=True)) == STORY)
    check("stop", c.text_generation("Go:", max_new_tokens=40, stop=[" there"]).startswith(" Hello"))
    r = c.chat_completion(ASK, temperature=0, max_tokens=60)
    check("chat_completion", r.choices[0].message.content == STORY, r)
    text = ""
    for chunk in c.chat_completion(ASK, temperature=0, max_tokens=60, stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
    check("chat_completion stream", text == STORY, text)


for f in (openai_client, langchain, huggingface):
    f()
    print(f.__name__, "ok")
