{{/* The chart's name, for labels. */}}
{{- define "wavemill.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The prefix of every object's name. */}}
{{- define "wavemill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "wavemill.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "wavemill.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change: what selectors use. Takes {root, operator}. */}}
{{- define "wavemill.selectorLabels" -}}
app.kubernetes.io/name: {{ include "wavemill.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with get . "operator" }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "wavemill.labels" -}}
{{ include "wavemill.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "wavemill.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "wavemill.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "wavemill.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository -}}
{{- if $image.registry -}}{{- $repository = printf "%s/%s" (trimSuffix "/" $image.registry) $repository -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The pipeline file that all operators read. */}}
{{- define "wavemill.pipeline" -}}
name: {{ .Values.pipeline.name | quote }}
{{- if or .Values.nats.credentials.existingSecret .Values.nats.tls.caConfigMap }}
auth:
  {{- if .Values.nats.credentials.existingSecret }}
  creds: {{ printf "/etc/nats/creds/%s" .Values.nats.credentials.key | quote }}
  {{- end }}
  {{- if .Values.nats.tls.caConfigMap }}
  ca: {{ printf "/etc/nats/ca/%s" .Values.nats.tls.caKey | quote }}
  {{- end }}
{{- end }}
{{- with .Values.pipeline.streams }}
streams:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pipeline.inputs }}
inputs:
  {{- toYaml . | nindent 2 }}
{{- end }}
operators:
{{- $operators := dict }}
{{- include "wavemill.operators" (dict "root" . "into" $operators) }}
{{- range $name, $o := $operators }}
  - name: {{ $name }}
    operator: {{ $o.operator }}
    {{- with get $o "from" }}
    from: {{ . }}
    {{- end }}
    {{- with get $o "to" }}
    to: {{ . }}
    {{- end }}
    {{- if ne $o.operator "train" }}
    {{- with get $o "workers" }}
    workers: {{ . }}
    {{- end }}
    {{- with $o.replicas }}
    replicas: {{ . }}
    {{- end }}
    {{- end }}
    {{- with get $o "config" }}
    config:
      {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/*
The enabled operators by name, with their defaults filled in. Takes {root, into}
and puts them into the dict into: a template can only return text.
*/}}
{{- define "wavemill.operators" -}}
{{- $root := .root -}}
{{- $into := .into -}}
{{- range $name, $values := $root.Values.operators -}}
{{- $o := deepCopy $root.Values.operatorDefaults -}}
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
{{- $_ := set $into $name $o -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* 90 % of a memory limit in Mi or Gi, for GOMEMLIMIT; empty for other units. */}}
{{- define "wavemill.memoryLimit" -}}
{{- $m := toString . -}}
{{- if regexMatch "^[0-9]+Gi$" $m -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Gi" $m | int) 1024 9) 10) -}}
{{- else if regexMatch "^[0-9]+Mi$" $m -}}
{{- printf "%dMiB" (div (mul (trimSuffix "Mi" $m | int) 9) 10) -}}
{{- end -}}
{{- end -}}

{{/* Refuses what would render but not work. */}}
{{- define "wavemill.check" -}}
{{- if and (not .Values.nats.url) (not .Values.nats.existingSecret) -}}
{{- fail "nats.url is empty: set it to the NATS server's address, such as nats://nats.bus.svc:4222, or set nats.existingSecret to a Secret that holds it" -}}
{{- end -}}
{{- if and .Values.nats.url .Values.nats.existingSecret -}}
{{- fail "nats.url and nats.existingSecret are both set: keep one" -}}
{{- end -}}
{{- $operators := dict -}}
{{- include "wavemill.operators" (dict "root" . "into" $operators) -}}
{{- if not $operators -}}
{{- fail "every operator is disabled: enable one under operators" -}}
{{- end -}}
{{- range $name, $o := $operators -}}
{{- if and (eq $o.operator "train") (or (gt (int $o.replicas) 1) (gt (int (get $o "workers")) 1)) -}}
{{- fail (printf "operators.%s: a trainer has one replica and one worker: two would train two models from the same messages" $name) -}}
{{- end -}}
{{- if gt (len (printf "%s-%s" (include "wavemill.fullname" $) $name)) 63 -}}
{{- fail (printf "operators.%s: the name %s-%s is longer than the 63 characters of a Kubernetes name; shorten it or set fullnameOverride" $name (include "wavemill.fullname" $) $name) -}}
{{- end -}}
{{- $seen := dict "WAVEMILL_NATS" true "GOMEMLIMIT" true -}}
{{- range $o.extraEnv -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "operators.%s.extraEnv: %s is set twice or by the chart itself" $name .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- end -}}
{{- end -}}
