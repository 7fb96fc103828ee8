{{/* Refuses what would render but not work. */}}
{{- define "wavemill.check" -}}
{{- if not (hasKey .Values.nats "mode") -}}
{{- fail "nats.mode is missing: these are the values of chart 0.1, which `helm upgrade --reuse-values` puts in place of the chart's own; upgrade with --reset-then-reuse-values, or with --values and a file" -}}
{{- end -}}
{{- $names := .Files.Get "files/names.json" | fromJson -}}
{{- include "wavemill.checkNames" (dict "value" .Values "node" $names.values "path" "" "definitions" $names.definitions "kind" "") -}}
{{- include "wavemill.checkAddresses" . -}}
{{- include "wavemill.checkServer" . -}}
{{- $operators := dict -}}
{{- include "wavemill.operators" (dict "root" . "into" $operators) -}}
{{- if not $operators -}}
{{- fail "every operator is disabled: enable one under operators" -}}
{{- end -}}
{{- $written := concat (list "" "audio" "spectrogram" "clip" "dlq" "quarantine") .Values.pipeline.inputs -}}
{{- range $operators -}}{{- $written = append $written .writes -}}{{- end -}}
{{- range $name, $o := $operators -}}
{{- if not (has $o.reads $written) -}}
{{- fail (printf "operators.%s reads the stream %s, which no operator writes: set `to: %s` on the operator before it, or list it under pipeline.inputs if clients publish there" $name $o.reads $o.reads) -}}
{{- end -}}
{{- if and $o.reads (eq $o.reads $o.writes) -}}
{{- fail (printf "operators.%s reads and writes the stream %s, so it would receive its own output: set another one in from or to" $name $o.reads) -}}
{{- end -}}
{{- include "wavemill.checkOperator" (dict "root" $ "name" $name "o" $o) -}}
{{- end -}}
{{- end -}}

{{/* Addresses, none of which may have a login. The schema is silent about them, because Helm's errors would show a password. */}}
{{- define "wavemill.checkAddresses" -}}
{{- range $a := list
  (list "nats.url" .Values.nats.url "^(nats|tls|ws|wss)://" "begins with nats://, tls://, ws:// or wss://" "put them into a Secret, named in nats.login.existingSecret, or the whole address, named in nats.existingSecret")
  (list "nats.monitoringEndpoint" .Values.nats.monitoringEndpoint "^[^/ ]+:[0-9]+$" "is host:port" "KEDA logs in by its own TriggerAuthentication")
  (list "image.registry" .Values.image.registry "^[^ ]*$" "is a host, with a path at most" "name a Secret in imagePullSecrets")
  (list "tracing.endpoint" .Values.tracing.endpoint "^https?://." "begins with http:// or https://" "put the header OTEL_EXPORTER_OTLP_HEADERS into a Secret, named in extraEnvFrom of operatorDefaults")
-}}
{{- $path := index $a 0 -}}{{- $text := index $a 1 -}}
{{- if contains "@" $text -}}
{{- fail (printf "%s has a user, a password or a token before its @, which everyone who reads the release would see: %s" $path (index $a 4)) -}}
{{- else if and $text (not (regexMatch (index $a 2) $text)) -}}
{{- fail (printf "%s is %q: it %s" $path $text (index $a 3)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "wavemill.checkServer" -}}
{{- $n := .Values.nats -}}
{{- if eq $n.mode "external" -}}
{{- if and (not $n.url) (not $n.existingSecret) -}}
{{- fail "nats.url is empty: set it to the NATS server's address, such as nats://nats.bus.svc:4222, or nats.existingSecret to a Secret that holds it, or nats.mode to bundled or embedded" -}}
{{- end -}}
{{- if and $n.url $n.existingSecret -}}
{{- fail "nats.url and nats.existingSecret are both set: keep one" -}}
{{- end -}}
{{- else -}}
{{- range $key, $value := dict "nats.url" $n.url "nats.existingSecret" $n.existingSecret "nats.credentials.existingSecret" $n.credentials.existingSecret "nats.nkey.existingSecret" $n.nkey.existingSecret "nats.tls.caConfigMap" $n.tls.caConfigMap "nats.tls.clientSecret" $n.tls.clientSecret "nats.domain" $n.domain -}}
{{- if $value -}}
{{- fail (printf "%s is set and nats.mode is %s: it belongs to a server of your own; set nats.mode to external, or leave it out" $key $n.mode) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $logins := list -}}
{{- range $key, $value := dict "nats.login" $n.login.existingSecret "nats.credentials" $n.credentials.existingSecret "nats.nkey" $n.nkey.existingSecret -}}
{{- if $value -}}{{- $logins = append $logins $key -}}{{- end -}}
{{- end -}}
{{- if gt (len $logins) 1 -}}
{{- fail (printf "%s are all set: keep one way to log in" (sortAlpha $logins | join ", ")) -}}
{{- end -}}
{{- if and $n.login.existingSecret (eq (empty $n.login.userKey) (empty $n.login.tokenKey)) -}}
{{- fail "nats.login.existingSecret needs either nats.login.userKey (with passwordKey) or nats.login.tokenKey: the key in the Secret" -}}
{{- end -}}
{{- if and (eq $n.mode "bundled") (lt (int $n.bundled.replicas) (int (dig "replicas" 1 (.Values.pipeline.streams | default dict)))) -}}
{{- fail (printf "pipeline.streams.replicas is %d and nats.bundled.replicas is %d: a stream has no more copies than there are servers" (int .Values.pipeline.streams.replicas) (int $n.bundled.replicas)) -}}
{{- end -}}
{{- if and (eq $n.mode "embedded") (gt (int (dig "replicas" 1 (.Values.pipeline.streams | default dict))) 1) -}}
{{- fail "pipeline.streams.replicas is more than 1 and nats.mode is embedded: there is one server" -}}
{{- end -}}
{{- end -}}

{{- define "wavemill.checkOperator" -}}
{{- $root := .root -}}{{- $o := .o -}}{{- $path := printf "operators.%s" .name -}}
{{- if has .name (list "nats" "provision" "pipeline" "metrics" "test") -}}
{{- fail (printf "%s: the chart has objects of that name: choose another one" $path) -}}
{{- end -}}
{{- if not $o.kind -}}
{{- fail (printf "%s.kind is missing: set it to one of %s" $path ($root.Files.Get "files/kinds.json" | fromJson | keys | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if and (not $o.known) (not (has $o.kind $root.Values.image.operators)) -}}
{{- fail (printf "%s.kind: there is no operator %q; there are %s. List it under image.operators if your own image has it" $path $o.kind ($root.Files.Get "files/kinds.json" | fromJson | keys | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if and $o.oneWorker (gt (int (get $o "workers")) 1) -}}
{{- fail (printf "%s.workers is %d: an operator of the kind %s keeps state and has one worker" $path (int (get $o "workers")) $o.kind) -}}
{{- end -}}
{{- if and $o.keda.enabled $o.hpa.enabled -}}
{{- fail (printf "%s: keda.enabled and hpa.enabled are both true: two controllers would set the replicas by turns; keep one" $path) -}}
{{- end -}}
{{- if and $o.scaled (or $o.standby (eq $o.kind "train")) -}}
{{- fail (printf "%s.%s: of the kind %s one replica works and the others stand by, so more of them do no more" $path $o.scaled $o.kind) -}}
{{- end -}}
{{- if and $o.scaled (eq $root.Values.nats.mode "embedded") -}}
{{- fail (printf "%s.%s: with nats.mode embedded all operators run in one pod; set nats.mode to bundled or external to scale" $path $o.scaled) -}}
{{- end -}}
{{- if $o.scaled -}}
{{- $s := get $o $o.scaled -}}
{{- if lt (int $s.maxReplicas) (int $s.minReplicas) -}}
{{- fail (printf "%s.%s: maxReplicas is %d, less than minReplicas %d" $path $o.scaled (int $s.maxReplicas) (int $s.minReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if $o.keda.enabled -}}
{{- if not $o.reads -}}
{{- fail (printf "%s.keda: the kind %s reads no stream, so nothing waits for it; use hpa%s" $path $o.kind (ternary "" ", or set from" $o.known)) -}}
{{- end -}}
{{- if and (eq $root.Values.nats.mode "external") (not $root.Values.nats.monitoringEndpoint) -}}
{{- fail (printf "%s.keda: nats.monitoringEndpoint is empty: KEDA asks the server's monitoring page for the lag; set it to host:port, such as nats-headless.bus.svc.cluster.local:8222" $path) -}}
{{- end -}}
{{- end -}}
{{- if and $o.hpa.enabled (not (dig "requests" "cpu" "" $o.resources)) -}}
{{- fail (printf "%s.hpa: resources.requests.cpu is not set, and its use is measured against it" $path) -}}
{{- end -}}
{{- if and (eq $o.kind "train") (gt (int $o.replicas) 1) $o.persistence.enabled $o.persistence.existingClaim -}}
{{- fail (printf "%s: replicas is %d and persistence.existingClaim is set: each replica needs a volume of its own" $path (int $o.replicas)) -}}
{{- end -}}
{{- if le (int $o.terminationGracePeriodSeconds) (int $o.ackWaitSeconds) -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d: it must be longer than ackWaitSeconds, %d, or messages in hand are delivered twice at each roll-out" $path (int $o.terminationGracePeriodSeconds) (int $o.ackWaitSeconds)) -}}
{{- end -}}
{{- if gt (len (printf "%s-%s" (include "wavemill.fullname" $root) .name)) 52 -}}
{{- fail (printf "%s: the name %s-%s is longer than 52 characters, which the names of its pods need; shorten it or set fullnameOverride" $path (include "wavemill.fullname" $root) .name) -}}
{{- end -}}
{{- $seen := dict "GOMEMLIMIT" true "GOMAXPROCS" true "WAVEMILL_NATS" true "WAVEMILL_NATS_USER" true "WAVEMILL_NATS_PASSWORD" true "WAVEMILL_NATS_TOKEN" true -}}
{{- if $root.Values.tracing.endpoint -}}
{{- range list "OTEL_EXPORTER_OTLP_ENDPOINT" "OTEL_RESOURCE_ATTRIBUTES" "OTEL_TRACES_SAMPLER" "OTEL_TRACES_SAMPLER_ARG" -}}{{- $_ := set $seen . true -}}{{- end -}}
{{- end -}}
{{- range $o.extraEnv -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "%s.extraEnv: %s is set twice or by the chart itself" $path .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- range $o.extraVolumes -}}
{{- if has .name (list "pipeline" "tmp" "data" "nats-creds" "nats-nkey" "nats-ca" "nats-client") -}}
{{- fail (printf "%s.extraVolumes: the chart has a volume %s itself; choose another name" $path .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
