import time,os
os.environ["VAE_HELPERS_PROFILE"]="quick"
import vae_helpers as vh, keras, numpy as np
data=vh.load_images("mnist",binarize="threshold",validation=5000)
def nets():
    keras.utils.set_random_seed(1)
    return vh.mlp_encoder(data.image_shape,10,hidden=(128,128)), vh.mlp_decoder(data.image_shape,10,hidden=(128,128))
for spe in (20,20,1,1,9,):
    c0=time.process_time(); n=nets(); c1=time.process_time(); m=vh.VAE(*n); m.compile(keras.optimizers.Adam(2e-3),steps_per_execution=spe); c2=time.process_time()
    m.fit(data.x_train,epochs=1,batch_size=128,verbose=0); c3=time.process_time()
    m.evaluate(data.x_test,batch_size=500,verbose=0,return_dict=True); c4=time.process_time()
    print(spe,"nets %.2f build %.2f fit %.2f eval %.2f"%(c1-c0,c2-c1,c3-c2,c4-c3))
import cProfile,pstats
m=vh.VAE(*nets()); m.compile(keras.optimizers.Adam(2e-3))
p=cProfile.Profile(); p.enable(); m.fit(data.x_train,epochs=1,batch_size=128,verbose=0); p.disable()
pstats.Stats(p).sort_stats("cumulative").print_stats(45)
