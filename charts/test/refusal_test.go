package charttest

import (
	"strings"
	"testing"
)

// TestWrongValuesAreRefused holds that a mistake is met by a sentence that names the field when the chart is rendered, not by a
// pod that does not start.
func TestWrongValuesAreRefused(t *testing.T) {
	const bundled, embedded = "nats: {mode: bundled}\n", "nats: {mode: embedded}\n"
	for name, tc := range map[string]struct{ values, want string }{
		"misspelt key of the server":  {minimal[:len(minimal)-2] + ", tls: {clientSecet: x}}", "nats.tls.clientSecet: the chart has no such value; did you mean clientSecret?"},
		"misspelt key two below":      {"nats: {mode: bundled, bundled: {storage: {sise: 1Gi}}}", "nats.bundled.storage.sise: the chart has no such value; did you mean size?"},
		"misspelt key of scaling":     {minimal + "operators: {generate: {hpa: {maxReplica: 3}}}", "operators.generate.hpa.maxReplica: the chart has no such value; did you mean maxReplicas?"},
		"misspelt key of the guard":   {minimal + "operators: {g: {kind: guard, to: x, config: {min_clip: 3}}}", "operators.g.config.min_clip: the chart has no such value; did you mean min_clips?"},
		"misspelt key of topup":       {minimal + "operators: {t: {kind: topup, config: {to: 9, sede: 1}}}", "operators.t.config.sede: the chart has no such value; did you mean seed?"},
		"misspelt key of segment":     {minimal + "operators: {s: {kind: segment, config: {preroll: 1s}}}", "operators.s.config.preroll: the chart has no such value; did you mean pre_roll?"},
		"misspelt key in a list":      {minimal + "operatorDefaults: {tolerations: [{key: a}, {efect: NoSchedule}]}", "operatorDefaults.tolerations[1].efect: the chart has no such value; did you mean effect?"},
		"misspelt key, in capitals":   {minimal + "operators: {train: {Replicas: 2}}", "operators.train.Replicas: the chart has no such value; did you mean replicas?"},
		"misspelt kind":               {minimal + "operators: {g: {knd: guard}}", "operators.g.knd: the chart has no such value; did you mean kind?"},
		"misspelt key of a variable":  {minimal + "operators: {train: {extraEnv: [{nam: A, value: x}]}}", "operators.train.extraEnv[0].nam: the chart has no such value; did you mean name?"},
		"key of another place":        {minimal + "operators: {train: {logging: x}}", "operators.train.logging: the chart has no such value; there are ackWaitSeconds, affinity, config"},
		"variable without a name":     {minimal + "operators: {train: {extraEnv: [{value: x}]}}", "operators.train.extraEnv[0]: name is missing"},
		"reference without a key":     {minimal + "operators: {train: {extraEnv: [{name: A, valueFrom: {secretKeyRef: {name: x}}}]}}", "operators.train.extraEnv[0].valueFrom.secretKeyRef: key is missing"},
		"no limits":                   {minimal + "operators: {train: {resources: {limits: null}}}", "operators.train.resources: limits is missing"},
		"guard's window":              {minimal + "operators: {g: {kind: guard, to: x, config: {window: wide}}}", "at '/operators/g/config/window': got string, want integer"},
		"guard's rules":               {minimal + "operators: {g: {kind: guard, to: x, config: {off: silent}}}", "operators.g.config.false: the chart has no such value; YAML reads off, no and false alike: write the key in quotes"},
		"guard's time":                {minimal + "operators: {g: {kind: guard, to: x, config: {idle: soon}}}", "at '/operators/g/config/idle'"},
		"topup's number":              {minimal + "operators: {t: {kind: topup, config: {to: many}}}", "at '/operators/t/config/to': got string, want integer"},
		"topup's proof":               {minimal + "operators: {t: {kind: topup, config: {to: 9, proof: maybe}}}", "at '/operators/t/config/proof': got string, want boolean"},
		"workers of topup":            {minimal + "operators: {t: {kind: topup, workers: 2, config: {to: 9}}}", "operators.t.workers is 2"},
		"a scaled topup":              {bundled + "operators: {t: {kind: topup, config: {to: 9}, keda: {enabled: true}}}", "operators.t.keda: of the kind topup one replica works"},
		"segment's length":            {minimal + "operators: {s: {kind: segment, config: {max: long}}}", "at '/operators/s/config/max'"},
		"segment's bits":              {minimal + "operators: {s: {kind: segment, config: {bits: 8}}}", "at '/operators/s/config/bits'"},
		"half a replica":              {minimal + "operators: {generate: {replicas: 1.5}}", "/operators/generate/replicas"},
		"replicas in words":           {minimal + "operatorDefaults: {replicas: '2'}", "at '/operatorDefaults/replicas': got string, want integer"},
		"replicas without end":        {minimal + "operators: {generate: {replicas: 100000}}", "/operators/generate/replicas"},
		"no KEDA replica at most":     {bundled + "operators: {spectrogram: {keda: {enabled: true, maxReplicas: 0}}}", "/operators/spectrogram/keda/maxReplicas"},
		"memory in megabytes":         {minimal + "operators: {train: {resources: {limits: {memory: 512MB}}}}", "at '/operators/train/resources/limits/memory'"},
		"negative memory":             {minimal + "operators: {train: {resources: {limits: {memory: -1}}}}", "at '/operators/train/resources/limits/memory'"},
		"memory of the hook":          {minimal + "provision: {resources: {limits: {memory: 1 Gi}}}", "at '/provision/resources/limits/memory'"},
		"size of the embedded volume": {"nats: {mode: embedded, embedded: {storage: {size: 20 GiB}}}", "/nats/embedded/storage/size"},
		"login of the page":           {minimal[:len(minimal)-2] + ", monitoringEndpoint: 'ann:secret@nats:8222'}", "nats.monitoringEndpoint has a user, a password"},
		"page without a port":         {minimal[:len(minimal)-2] + ", monitoringEndpoint: nats}", `nats.monitoringEndpoint is "nats": it is host:port`},
		"login of the registry":       {minimal + "image: {registry: 'ann:secret@r.example.org'}", "image.registry has a user, a password"},
		"timeout of the test":         {minimal + "tests: {timeout: 5}", "/tests/timeout"},
		"no server":                   {"", "nats.url is empty"},
		"two servers":                 {minimal[:len(minimal)-2] + ", existingSecret: x}", "keep one"},
		"login in a bad URL":          {"nats: {url: 'http://ann:secret@nats:4222'}", "nats.url has a user, a password"},
		"password in the URL":         {"nats: {url: 'nats://ann:secret@nats:4222'}", "nats.url has a user, a password"},
		"token in a second URL":       {"nats: {url: 'nats://a:4222,nats://t0ken@b:4222'}", "nats.url has a user, a password"},
		"bad URL":                     {"nats: {url: 'http://nats:4222'}", `nats.url is "http://nats:4222": it begins with nats://`},
		"unknown mode":                {"nats: {mode: bundle}", "at '/nats/mode': value must be one of 'external', 'bundled', 'embedded'"},
		"two servers in a cluster":    {"nats: {mode: bundled, bundled: {replicas: 2}}", "at '/nats/bundled/replicas': value must be one of 1, 3, 5"},
		"URL of a bundled server":     {"nats: {mode: bundled, url: 'nats://x:4222'}", "nats.url is set and nats.mode is bundled"},
		"creds of an embedded server": {"nats: {mode: embedded, credentials: {existingSecret: x}}", "nats.credentials.existingSecret is set and nats.mode is embedded"},
		"two logins":                  {minimal[:len(minimal)-2] + ", nkey: {existingSecret: a}, credentials: {existingSecret: b}}", "nats.credentials, nats.nkey are all set"},
		"login without a key":         {minimal[:len(minimal)-2] + ", login: {existingSecret: a}}", "nats.login.existingSecret needs either nats.login.userKey"},
		"sync of the bundled server":  {"nats: {mode: bundled, bundled: {syncInterval: often}}", "/nats/bundled/syncInterval"},
		"storage of the server":       {"nats: {mode: bundled, bundled: {storage: {size: lots}}}", "/nats/bundled/storage/size"},
		"more copies than servers":    {bundled + "pipeline: {streams: {replicas: 3}}", "pipeline.streams.replicas is 3 and nats.bundled.replicas is 1"},
		"copies of one server":        {embedded + "pipeline: {streams: {replicas: 3}}", "pipeline.streams.replicas is more than 1"},
		"misspelt key":                {minimal + "spectogram: {replicas: 2}", "spectogram: the chart has no such value; did you mean spectrogram?"},
		"misspelt key below":          {minimal + "operators: {spectrogram: {replica: 2}}", "operators.spectrogram.replica: the chart has no such value; did you mean replicas?"},
		"misspelt security context":   {minimal + "podSecurityContext: {runAsUsr: 1}", "podSecurityContext.runAsUsr: the chart has no such value; did you mean runAsUser?"},
		"misspelt probe of the env":   {minimal + "operators: {train: {extraEnv: [{name: A, valueFrom: {secretRef: {name: x}}}]}}", "operators.train.extraEnv[0].valueFrom.secretRef: the chart has no such value; did you mean secretKeyRef?"},
		"text for a number":           {minimal + "operators: {generate: {replicas: two}}", "at '/operators/generate/replicas': got string, want integer"},
		"negative replicas":           {minimal + "operators: {generate: {replicas: -1}}", "/operators/generate/replicas"},
		"quantity of memory":          {minimal + "operators: {train: {resources: {limits: {memory: lots}}}}", "at '/operators/train/resources/limits/memory'"},
		"quantity of processors":      {minimal + "operators: {train: {resources: {requests: {cpu: 2 cores}}}}", "at '/operators/train/resources/requests/cpu'"},
		"limit of something else":     {minimal + "operators: {train: {resources: {limits: {mem: 1Gi}}}}", "operators.train.resources.limits.mem: the chart has no such value; did you mean memory?"},
		"size of a volume":            {minimal + "operators: {train: {persistence: {size: 5 GB}}}", "/operators/train/persistence/size"},
		"architecture":                {minimal + "operators: {train: {config: {model: rave}}}", "at '/operators/train/config/model': value must be one of 'flow', 'gan', 'vae', 'vaegan'"},
		"misspelt configuration":      {minimal + "operators: {generate: {config: {architecture: vae}}}", "operators.generate.config.architecture: the chart has no such value; there are "},
		"type in a configuration":     {minimal + "operators: {train: {config: {steps: many}}}", "at '/operators/train/config/steps': got string, want integer"},
		"duration in a configuration": {minimal + "operators: {train: {config: {lease: soon}}}", "at '/operators/train/config/lease'"},
		"configuration of an own one": {minimal + "operators: {cut: {kind: segment, config: {by: luck}}}", "at '/operators/cut/config/by'"},
		"workers of a trainer":        {minimal + "operators: {second: {kind: train, workers: 2}}", "operators.second.workers is 2"},
		"no kind":                     {minimal + "operators: {spectogram: {replicas: 2}}", "operators.spectogram.kind is missing: set it to one of embed, generate"},
		"unknown kind":                {minimal + "operators: {mine: {kind: guardian}}", `operators.mine.kind: there is no operator "guardian"; there are embed, generate, guard`},
		"bad name of an operator":     {minimal + "operators: {my_guard: {kind: guard}}", "'my_guard' does not match pattern"},
		"name of the chart's own":     {minimal + "operators: {nats: {kind: embed}}", "operators.nats: the chart has objects of that name"},
		"long name":                   {minimal + "fullnameOverride: " + strings.Repeat("a", 45) + "\noperators: {" + strings.Repeat("b", 20) + ": {kind: guard, to: x}}", "longer than 52 characters"},
		"bad stream":                  {minimal + "operators: {guard: {kind: guard, to: Good Ones}}", "/operators/guard/to"},
		"a stream of nobody":          {minimal + "operators: {cut: {kind: segment}}", "operators.cut reads the stream take, which no operator writes"},
		"its own output":              {minimal + "operators: {e: {kind: embed, to: spectrogram}}", "operators.e reads and writes the stream spectrogram"},
		"keda and hpa":                {bundled + "operators: {spectrogram: {keda: {enabled: true}, hpa: {enabled: true}}}", "operators.spectrogram: keda.enabled and hpa.enabled are both true"},
		"a scaled trainer":            {bundled + "operators: {train: {hpa: {enabled: true}}}", "operators.train.hpa: of the kind train one replica works"},
		"a scaled reader of nothing":  {bundled + "operators: {generate: {keda: {enabled: true}}}", "operators.generate.keda: the kind generate reads no stream"},
		"keda without the page":       {minimal + "operators: {spectrogram: {keda: {enabled: true}}}", "nats.monitoringEndpoint is empty"},
		"keda in one pod":             {embedded + "operators: {spectrogram: {keda: {enabled: true}}}", "operators.spectrogram.keda: with nats.mode embedded"},
		"range of replicas":           {bundled + "operators: {spectrogram: {keda: {enabled: true, minReplicas: 9}}}", "operators.spectrogram.keda: maxReplicas is 8, less than minReplicas 9"},
		"processor use of more":       {bundled + "operators: {generate: {hpa: {enabled: true, targetCPU: 700}}}", "/operators/generate/hpa/targetCPU"},
		"grace period":                {minimal + "operators: {spectrogram: {ackWaitSeconds: 60}}", "operators.spectrogram.terminationGracePeriodSeconds is 60: it must be longer than ackWaitSeconds, 60"},
		"one claim for two":           {minimal + "operators: {train: {replicas: 2, persistence: {existingClaim: x}}}", "operators.train: replicas is 2 and persistence.existingClaim is set"},
		"bad pipeline name":           {minimal + "pipeline: {name: 'My Drums'}", "/pipeline/name"},
		"copies of streams":           {minimal + "pipeline: {streams: {replicas: 7}}", "/pipeline/streams/replicas"},
		"bad digest":                  {minimal + "image: {digest: latest}", "/image/digest"},
		"pull policy":                 {minimal + "image: {pullPolicy: Sometimes}", "/image/pullPolicy"},
		"port below 1024":             {minimal + "http: {port: 80}", "/http/port"},
		"login of the collector":      {minimal + "tracing: {endpoint: 'http://a:secret@collector:4318'}", "tracing.endpoint has a user, a password"},
		"collector by gRPC":           {minimal + "tracing: {endpoint: 'collector:4317'}", `tracing.endpoint is "collector:4317": it begins with http:// or https://`},
		"share of traces":             {minimal + "tracing: {ratio: 10}", "/tracing/ratio"},
		"level of the log":            {minimal + "log: {level: verbose}", "/log/level"},
		"nothing enabled":             {minimal + "operators: {spectrogram: {enabled: false}, train: {enabled: false}, generate: {enabled: false}}", "every operator is disabled"},
		"the chart's variable again":  {minimal + "operators: {train: {extraEnv: [{name: WAVEMILL_NATS, value: x}]}}", "operators.train.extraEnv: WAVEMILL_NATS is set twice"},
		"variable set twice":          {minimal + "operators: {train: {extraEnv: [{name: A, value: one}, {name: A, value: two}]}}", "A is set twice"},
		"the chart's volume again":    {minimal + "operators: {train: {extraVolumes: [{name: data, emptyDir: {}}]}}", "operators.train.extraVolumes: the chart has a volume data"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := render(t, tc.values)
			if err == nil {
				t.Fatal("rendered")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error lacks %q: %v", tc.want, err)
			}
			if strings.Contains(err.Error(), ":secret") || strings.Contains(err.Error(), "t0ken") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}
