{{/*
The enabled operators by name, with their defaults filled in. Takes {root, into}
and puts them into the dict into: a template can only return text. Beside the
values, an operator has
  known    false: it is one of the user's own image
  standby  one replica works, the others stand by
  reads    the stream that it reads, empty: none
  writes   the stream that it writes, empty: none, or not known
  inHand   how many messages a worker may have in hand
  scaled   keda, hpa or empty
  most     the most replicas that there can be
*/}}
{{- define "wavemill.operators" -}}
{{- $root := .root -}}
{{- $into := .into -}}
{{- $kinds := $root.Files.Get "files/kinds.json" | fromJson -}}
{{- range $name, $values := $root.Values.operators -}}
{{- $o := deepCopy $root.Values.operatorDefaults -}}
{{- with get $root.Values "terminationGracePeriodSeconds" -}}{{- $_ := set $o "terminationGracePeriodSeconds" . -}}{{- end -}}
{{- $former := dict -}}
{{- if has $name (list "spectrogram" "train" "generate") -}}
{{- $former = get $root.Values $name | default dict -}}
{{- end -}}
{{- range $layer := list $values $former -}}
{{- range $key, $value := $layer -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $o $key)) -}}
{{- range $k, $v := $value -}}
{{- $_ := set (get $o $key) $k $v -}}
{{- end -}}
{{- else -}}
{{- $_ := set $o $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $o.enabled -}}
{{- $_ := set $o "kind" (get $o "kind" | default (get $o "operator") | default "") -}}
{{- $kind := get $kinds $o.kind | default dict -}}
{{- $_ := set $o "known" (hasKey $kinds $o.kind) -}}
{{- $_ := set $o "standby" (get $kind "standby" | default false) -}}
{{- $_ := set $o "oneWorker" (get $kind "oneWorker" | default false) -}}
{{- $_ := set $o "reads" (get $o "from" | default (get $kind "from") | default "") -}}
{{- $_ := set $o "writes" (get $o "to" | default (get $kind "to") | default "") -}}
{{- $_ := set $o "inHand" (get $kind "inHand" | default 16 | int) -}}
{{- $_ := set $o "scaled" (ternary "keda" (ternary "hpa" "" $o.hpa.enabled) $o.keda.enabled) -}}
{{- $most := int $o.replicas -}}
{{- if $o.scaled -}}{{- $most = int (get (get $o $o.scaled) "maxReplicas") -}}{{- end -}}
{{- if and $o.standby $most -}}{{- $most = 1 -}}{{- end -}}
{{- $_ := set $o "most" $most -}}
{{- $_ := set $into $name $o -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The limits of the streams. */}}
{{- define "wavemill.streams" -}}
{{- $streams := deepCopy (.Values.pipeline.streams | default dict) -}}
{{- if and (eq .Values.nats.mode "bundled") (gt (int .Values.nats.bundled.replicas) 1) (not (hasKey $streams "replicas")) -}}
{{- $_ := set $streams "replicas" 3 -}}
{{- end -}}
{{- if $streams }}
streams:
  {{- toYaml $streams | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The login of the pipeline file: files and what is no secret. */}}
{{- define "wavemill.auth" -}}
{{- $n := .Values.nats -}}
{{- $auth := dict -}}
{{- if $n.credentials.existingSecret }}{{- $_ := set $auth "creds" (printf "/etc/nats/creds/%s" $n.credentials.key) }}{{- end }}
{{- if $n.nkey.existingSecret }}{{- $_ := set $auth "nkey" (printf "/etc/nats/nkey/%s" $n.nkey.key) }}{{- end }}
{{- if $n.tls.caConfigMap }}{{- $_ := set $auth "ca" (printf "/etc/nats/ca/%s" $n.tls.caKey) }}{{- end }}
{{- if $n.tls.clientSecret }}{{- $_ := set $auth "cert" "/etc/nats/client/tls.crt" }}{{- $_ := set $auth "key" "/etc/nats/client/tls.key" }}{{- end }}
{{- if $n.tls.handshakeFirst }}{{- $_ := set $auth "handshake_first" true }}{{- end }}
{{- with $n.inboxPrefix }}{{- $_ := set $auth "inbox_prefix" . }}{{- end }}
{{- with $n.domain }}{{- $_ := set $auth "domain" . }}{{- end }}
{{- if $auth }}
auth:
  {{- toYaml $auth | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pipeline file that all operators read. */}}
{{- define "wavemill.pipeline" -}}
name: {{ .Values.pipeline.name | quote }}
{{- include "wavemill.auth" . }}
{{- include "wavemill.streams" . }}
{{- with .Values.pipeline.inputs }}
inputs:
  {{- toYaml . | nindent 2 }}
{{- end }}
operators:
{{- $operators := dict }}
{{- include "wavemill.operators" (dict "root" . "into" $operators) }}
{{- range $name, $o := $operators }}
  - name: {{ $name }}
    operator: {{ $o.kind }}
    {{- with get $o "from" }}
    from: {{ . }}
    {{- end }}
    {{- with get $o "to" }}
    to: {{ . }}
    {{- end }}
    {{- if not $o.oneWorker }}
    {{- with get $o "workers" }}
    workers: {{ . }}
    {{- end }}
    {{- end }}
    {{- if ne (int $o.ackWaitSeconds) 30 }}
    ack_wait: {{ $o.ackWaitSeconds }}s
    {{- end }}
    {{- with get $o "maxAttempts" }}
    max_attempts: {{ . }}
    {{- end }}
    {{- with get $o "timeout" }}
    timeout: {{ . }}
    {{- end }}
    {{- if and (gt (int $o.most) 1) (ne $.Values.nats.mode "embedded") }}
    replicas: {{ $o.most }}
    {{- end }}
    {{- with get $o "config" }}
    config:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* The pipeline of `helm test`: small, quickly trained, of which nothing is kept for longer than an hour. */}}
{{- define "wavemill.testName" -}}
{{- printf "%s-t" (.Values.pipeline.name | trunc 16) -}}
{{- end -}}
{{- define "wavemill.testPipeline" -}}
{{- $streams := include "wavemill.streams" . | fromYaml -}}
{{- $streams = dict "max_age" "1h" "object_ttl" "1h" "replicas" (dig "streams" "replicas" 1 $streams) -}}
name: {{ include "wavemill.testName" . | quote }}
{{- include "wavemill.auth" . }}
streams:
  {{- toYaml $streams | nindent 2 }}
operators:
  - operator: spectrogram
  - operator: train
    config: {steps: 20, idle: 1s, wait_for: 18, min_clips: 6, gate: false, again: 0, seed: 1}
  - operator: generate
{{- end -}}
