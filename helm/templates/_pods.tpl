{{/* What all pods have: nobody is root, nobody talks to Kubernetes. */}}
{{- define "heliolake.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.pod.user }}
  runAsGroup: {{ .Values.pod.user }}
  fsGroup: {{ .Values.pod.user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.pod.priorityClass }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.pod.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pod.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What all containers have. */}}
{{- define "heliolake.container" -}}
image: {{ include "heliolake.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Request and limit alike: of memory in MiB, cores, local disk in GiB. */}}
{{- define "heliolake.resources" -}}
{{- $asked := dict "memory" (printf "%dMi" (int .memoryMiB)) "cpu" (toString .cpus) "ephemeral-storage" (printf "%dGi" (int .diskGiB)) -}}
resources: {{- dict "requests" $asked "limits" $asked | toYaml | nindent 2 }}
{{- end -}}

{{/* Variables of every process that computes: one thread per library, compiled kernels and copies on local disk. */}}
{{- define "heliolake.computeEnv" -}}
- {name: PYTHONUNBUFFERED, value: "1"}
{{- range list "OMP" "MKL" "OPENBLAS" "NUMEXPR" "NUMBA" "VECLIB_MAXIMUM" "BLIS" }}
- {name: {{ . }}_NUM_THREADS, value: "1"}
{{- end }}
- {name: MALLOC_ARENA_MAX, value: "1"}
- {name: MALLOC_MMAP_THRESHOLD_, value: "100000000"}
- {name: MALLOC_TRIM_THRESHOLD_, value: "1073741824"}
- {name: HOME, value: /cache}
- {name: XDG_CACHE_HOME, value: /cache}
- {name: NUMBA_CACHE_DIR, value: /cache/numba}
- {name: HELIOLAKE_CACHE, value: /cache/files}
- {name: HELIOLAKE_CACHE_BYTES, value: {{ mul .cacheGiB 1073741824 | quote }}}
- {name: ASTROPY_CONFIG_DIR, value: /etc/heliolake/astropy}
- {name: DASK_CONFIG, value: /etc/heliolake/dask}
- {name: TMPDIR, value: /scratch}
{{- if .top.Values.storage.secret.name }}
- {name: HELIOLAKE_STORES, value: /run/secrets/stores/stores.json}
{{- end }}
{{- include "heliolake.caEnv" .top }}
{{- end -}}

{{- define "heliolake.caEnv" -}}
{{- if .Values.ca.configMap }}
- {name: REQUESTS_CA_BUNDLE, value: /etc/heliolake/ca/ca.crt}
- {name: AWS_CA_BUNDLE, value: /etc/heliolake/ca/ca.crt}
{{- end }}
{{- end -}}

{{- define "heliolake.caMount" -}}
{{- if .Values.ca.configMap }}
- {name: ca, mountPath: /etc/heliolake/ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "heliolake.caVolume" -}}
{{- with .Values.ca }}
{{- if .configMap }}
- name: ca
  configMap: {name: {{ .configMap }}, items: [{key: {{ .key | quote }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- end -}}

{{- define "heliolake.computeMounts" -}}
- {name: settings, mountPath: /etc/heliolake/astropy/astropy.cfg, subPath: astropy.cfg, readOnly: true}
- {name: settings, mountPath: /etc/heliolake/dask/dask.yaml, subPath: dask.yaml, readOnly: true}
- {name: cache, mountPath: /cache}
- {name: scratch, mountPath: /scratch}
{{- if include "heliolake.daskSecret" . }}
- {name: dask, mountPath: /run/secrets/dask, readOnly: true}
{{- end }}
{{- if .Values.storage.secret.name }}
- {name: stores, mountPath: /run/secrets/stores, readOnly: true}
{{- end }}
{{- if .Values.storage.claim }}
- {name: data, mountPath: {{ .Values.storage.folder }}}
{{- end }}
{{- include "heliolake.caMount" . }}
{{- end -}}

{{- define "heliolake.computeVolumes" -}}
{{- with .top -}}
- name: settings
  configMap: {name: {{ include "heliolake.name" . }}}
- name: cache
  emptyDir: {sizeLimit: {{ add $.cacheGiB 2 }}Gi}
- name: scratch
  emptyDir: {sizeLimit: {{ $.scratchGiB }}Gi}
{{- if include "heliolake.daskSecret" . }}
- name: dask
  secret: {secretName: {{ include "heliolake.daskSecret" . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.storage.secret }}
{{- if .name }}
- name: stores
  secret: {secretName: {{ .name }}, defaultMode: 0440, items: [{key: {{ .key | quote }}, path: stores.json}]}
{{- end }}
{{- end }}
{{- with .Values.storage.claim }}
- name: data
  persistentVolumeClaim: {claimName: {{ . }}}
{{- end }}
{{- include "heliolake.caVolume" . }}
{{- end }}
{{- end -}}

{{/* The Secret of the database's URL, for whoever signs in there. */}}
{{- define "heliolake.databaseVolume" -}}
{{- with .Values.database.secret -}}
- name: database
  secret:
    secretName: {{ required "database.secret.name: name the Secret that holds the URL of the PostgreSQL database" .name }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: url}]
{{- end -}}
{{- end -}}
