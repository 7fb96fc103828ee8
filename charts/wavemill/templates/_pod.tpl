{{/* The pod of one operator. Takes {root, name, values}. */}}
{{- define "wavemill.pod" -}}
{{- $root := .root -}}
{{- $o := .values -}}
metadata:
  labels:
    {{- include "wavemill.labels" (dict "root" $root "operator" .name) | nindent 4 }}
  annotations:
    checksum/pipeline: {{ include "wavemill.pipeline" $root | sha256sum }}
    {{- with $o.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "wavemill.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  containers:
    - name: {{ .name }}
      image: {{ include "wavemill.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        - operator
        - {{ .name }}
        - --file=/etc/wavemill/pipeline.yaml
        - --http=:{{ $root.Values.http.port }}
        - --log=json
        {{- if eq $o.operator "train" }}
        - --checkpoints=/var/lib/wavemill
        {{- end }}
      env:
        - name: WAVEMILL_NATS
          {{- if $root.Values.nats.existingSecret }}
          valueFrom:
            secretKeyRef:
              name: {{ $root.Values.nats.existingSecret }}
              key: {{ $root.Values.nats.urlKey }}
          {{- else }}
          value: {{ $root.Values.nats.url | quote }}
          {{- end }}
        {{- with include "wavemill.memoryLimit" (dig "limits" "memory" "" $o.resources) }}
        - name: GOMEMLIMIT
          value: {{ . }}
        {{- end }}
        {{- with $o.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: http
          containerPort: {{ $root.Values.http.port }}
      livenessProbe:
        httpGet: {path: /livez, port: http}
        periodSeconds: 10
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
      resources:
        {{- toYaml $o.resources | nindent 8 }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: pipeline
          mountPath: /etc/wavemill
          readOnly: true
        - name: tmp
          mountPath: /tmp
        {{- if eq $o.operator "train" }}
        - name: data
          mountPath: /var/lib/wavemill
        {{- end }}
        {{- if $root.Values.nats.credentials.existingSecret }}
        - name: nats-creds
          mountPath: /etc/nats/creds
          readOnly: true
        {{- end }}
        {{- if $root.Values.nats.tls.caConfigMap }}
        - name: nats-ca
          mountPath: /etc/nats/ca
          readOnly: true
        {{- end }}
  volumes:
    - name: pipeline
      configMap:
        name: {{ include "wavemill.fullname" $root }}-pipeline
    - name: tmp
      emptyDir: {}
    {{- if eq $o.operator "train" }}
    {{- if not $o.persistence.enabled }}
    - name: data
      emptyDir: {}
    {{- else if $o.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ $o.persistence.existingClaim }}
    {{- end }}
    {{- end }}
    {{- with $root.Values.nats.credentials.existingSecret }}
    - name: nats-creds
      secret:
        secretName: {{ . }}
    {{- end }}
    {{- with $root.Values.nats.tls.caConfigMap }}
    - name: nats-ca
      configMap:
        name: {{ . }}
    {{- end }}
  {{- with $o.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $o.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $o.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $o.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
